"""A study in a notebook: its plan, and its results as frames of polars. Reads the run store, writes nothing."""
