"""Sessions: what a running engine was told by the world, kept, and played to another engine."""
