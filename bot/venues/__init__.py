"""Where hedges are traded: ccxt, and the simulated exchange."""
