"""The oracle: reads the exchange's own log and the journal's bytes, and knows no engine object."""
