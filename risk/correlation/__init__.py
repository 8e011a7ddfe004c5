"""Correlation as traders read it."""
