"""Trips every control on a simulated exchange, through the parts that trade real money."""
