"""What a book adds up to."""
