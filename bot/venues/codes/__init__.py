"""What each exchange's own codes say about an order, one table of data for each exchange."""
