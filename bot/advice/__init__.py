"""A say before a bot enters, from the last good look at the book."""

from bot.advice.opening import open_entry_desk

__all__ = ["open_entry_desk"]
