"""Signals that a person acts on."""
