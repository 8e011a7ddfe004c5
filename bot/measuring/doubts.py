"""What all readers of positions leave in doubt in one look, together. Pure."""


class Doubts:
    """Sums by reader, USD: what each may leave hangs on what the others have left."""

    def __init__(self) -> None:
        self._usd: dict[str, float] = {}

    def begin(self) -> None:
        """A new look."""
        self._usd.clear()

    def over(self, reader: str) -> None:
        """It reads anew."""
        self._usd.pop(reader, None)

    def left(self, reader: str, worth_usd: float, *, most_usd: float) -> bool:
        """Whether it may leave so much in doubt; if so, that counts from now on."""
        others_usd = sum(usd for name, usd in self._usd.items() if name != reader)
        if others_usd + worth_usd > most_usd:
            return False
        self._usd[reader] = worth_usd
        return True
