"""The steps of a cycle; the decisions between them are made in ``bot.cycle``."""
