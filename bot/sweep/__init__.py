"""Many replays at once: settings and caps tried on history, on one machine or a cluster."""
