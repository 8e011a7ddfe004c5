"""Pure numerics of risk."""
