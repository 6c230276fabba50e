"""Data with a known truth, and what the statistics make of it."""
