"""How long to wait before the next attempt to connect: growing, scattered, and never for ever."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays that double from ``first_s`` up to ``cap_s``, each scattered between half and whole.

    So many clients that lost the same exchange at once do not come back at once. A connection that
    stood for ``settled_s`` starts anew; one that breaks off sooner counts as another failure.
    """

    first_s: float = 0.5
    cap_s: float = 30.0
    settled_s: float = 60.0
    chance: random.Random = field(default_factory=random.SystemRandom)
    attempts: int = 0

    def stood(self, seconds: float) -> None:
        """The last connection held for so long."""
        if seconds >= self.settled_s:
            self.attempts = 0

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        whole = min(self.cap_s, self.first_s * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return whole * (0.5 + 0.5 * self.chance.random())
