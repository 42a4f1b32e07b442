"""Sentences made of the facts that :mod:`bench.stats` finds."""
