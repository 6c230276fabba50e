"""Perturbed boxes and heat maps."""
