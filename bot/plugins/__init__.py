"""Single files to copy beside a bot; each needs only Python's standard library."""
