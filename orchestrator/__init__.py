"""When and where jobs run: the only package that schedules."""
