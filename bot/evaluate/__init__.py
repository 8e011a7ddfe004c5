"""Out-of-sample comparison of hedge strategies on recorded data."""
