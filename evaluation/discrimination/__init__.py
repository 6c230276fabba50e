"""Ranking: areas under curves, their variances and differences."""
