"""Export runs to the formats of other tools, and import what other tools measured as runs."""
