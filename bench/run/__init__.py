"""One run on this host: its targets, facts, invocations and stopping rule."""
