"""What bot and hedges earned and cost over a period, and whether the exchange says the same."""
