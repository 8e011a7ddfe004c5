"""Pure hedge decisions."""
