"""From samples to estimates: pure functions that write no sentence."""
