"""What data lack, on stderr."""

import sys


def told(text: str) -> None:
    """One line; stdout stays what the command prints."""
    print(f"perphedge: {text}", file=sys.stderr)
