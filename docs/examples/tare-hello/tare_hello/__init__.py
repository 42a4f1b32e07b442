"""An engine (bubblewrap) and a benchmark (``goodbye``) for Tare."""
