"""Where a bot's positions are read."""
