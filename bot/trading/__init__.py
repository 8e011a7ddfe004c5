"""From a proposal to booked fills, and back to certainty after a crash."""
