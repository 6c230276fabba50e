"""Reporting checklists as data: item, what it asks for in our words, and what of a kit answers it."""
