"""Crowding read from funding."""
