"""`osteogrid weights`, and the trial of weights files before a sweep."""
