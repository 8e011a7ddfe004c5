"""From what is held to what it means."""
