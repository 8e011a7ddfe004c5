"""What a cycle leaves behind, and how it is told."""
