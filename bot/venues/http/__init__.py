"""The simulated exchange's HTTP face, in Binance's protocol."""
