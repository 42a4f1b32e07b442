"""Programs that run inside targets: one module for each, which builds its arguments and parses its output."""
