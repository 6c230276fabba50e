"""The study files that are shipped."""
