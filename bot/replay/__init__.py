"""The engine's own cycle over recorded data, in simulated time."""
