"""A run in the formats of other tools, and what other tools measured as a run."""
