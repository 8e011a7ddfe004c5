"""The journal: what the engine meant, sent, was told and booked."""
