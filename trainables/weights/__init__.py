"""Weights files: read without running their code, named, refused or loaded, and proven."""
