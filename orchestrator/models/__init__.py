"""A cell's models taken out of the run store: bundles, predictions, and what MLflow serves."""
