"""The engine: everything that does I/O."""
