"""The server that bots ask and push to: a process of its own, so that no solve delays an answer."""
