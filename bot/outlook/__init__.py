"""What goes on around the book: signals, series and dates."""
