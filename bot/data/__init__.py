"""Recorded market data: where it comes from, and what is wrong with it."""
