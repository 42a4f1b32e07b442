"""Building blocks for the sentences, tables and charts of every benchmark."""
