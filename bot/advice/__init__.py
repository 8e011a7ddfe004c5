"""A say before a bot enters, from the last good look at the book."""
