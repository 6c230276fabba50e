"""What people see of a sweep while it runs: in its own terminal, and from any other one that reaches the run store."""
