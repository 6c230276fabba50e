"""Deciding: thresholds, rates and paired decisions."""
