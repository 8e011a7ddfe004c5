"""What is made for a release beside the package; nothing of the program imports it."""
