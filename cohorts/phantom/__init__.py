"""Synthetic radiographs with known lesions: knees for centers, chests and natural pictures for pretraining."""
