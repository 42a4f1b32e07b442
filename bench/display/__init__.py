"""What the tables, charts and sentences of every benchmark are made of."""
