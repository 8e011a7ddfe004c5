"""Which faults a seed plays: each alone, then all pairs, then triples. Pure."""

import functools
import itertools
import random
from dataclasses import dataclass

from bot.faults.kinds import KINDS, PLAYABLE

_PAIRS_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a schedule in which these faults come and go."""

    kinds: tuple[str, ...]

    @property
    def recoverable(self) -> bool:
        """Nothing in it needs somebody to repair the engine's own state."""
        return all(KINDS[kind].recoverable for kind in self.kinds)


@functools.cache
def all_pairs() -> tuple[tuple[str, str], ...]:
    """Every two playable faults, in an order that mixes them."""
    pairs = list(itertools.combinations(PLAYABLE, 2))
    random.Random("pairs").shuffle(pairs)
    return tuple(pairs)


def phases(seed: int) -> tuple[Phase, ...]:
    """Seeds count from 0: singles first, two pairs each then, triples for ever after."""
    if seed < len(PLAYABLE):
        return (Phase((PLAYABLE[seed],)),)
    first = (seed - len(PLAYABLE)) * _PAIRS_IN_A_ROW
    pairs = all_pairs()
    if first + _PAIRS_IN_A_ROW <= len(pairs):
        return tuple(Phase(pair) for pair in pairs[first : first + _PAIRS_IN_A_ROW])
    die = random.Random(f"triples:{seed}")
    return tuple(Phase(tuple(sorted(die.sample(PLAYABLE, 3)))) for _ in range(2))
