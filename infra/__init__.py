"""The outside world, one adapter each, and the cluster definitions."""
