"""Probabilities: calibration, recalibration and net benefit."""
