"""The simulated exchange's deterministic core."""
