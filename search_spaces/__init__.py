"""What can be run: studies, grids, jobs and catalogues, as plain data."""
