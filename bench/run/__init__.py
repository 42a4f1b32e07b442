"""Execute a run on this host: targets, facts, invocations and stopping rule."""
