"""What trials try, which of them go on, and which one the replicates follow."""
