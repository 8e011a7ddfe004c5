"""Market data: generated, recorded, live."""
