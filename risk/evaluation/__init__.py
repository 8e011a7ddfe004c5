"""How good hedges were, from what happened after them."""
