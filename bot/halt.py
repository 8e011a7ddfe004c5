"""The kill switch: a file in the state directory. While it is there, nothing is traded.

Anything that can create a file can stop the engine: a script, a cron job, a hand. It works with
the journal and the network down and outlives restarts.
"""

from pathlib import Path

HALT_NAME = "HALT"


class HaltSwitch:
    """On while ``state_dir/HALT`` exists; its text is the reason."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / HALT_NAME

    @property
    def reason(self) -> str | None:
        """Why trading is halted; None when it is not."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            # A switch that cannot be read counts as on.
            return f"{self._path} cannot be read: {error.strerror}"
        return " ".join(text.split()) or f"{self._path} exists"
