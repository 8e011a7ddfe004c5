"""Stresses: the worst hours of recorded data, and trouble made up, with and without hedges."""
