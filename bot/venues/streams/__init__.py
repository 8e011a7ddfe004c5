"""Streams of a venue: news that hasten what REST would find out anyway, and prove nothing."""
