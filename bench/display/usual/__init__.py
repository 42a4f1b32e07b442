"""What is shown of a benchmark that brings no words, tables or charts of its own."""
