"""Where two documents of a cycle differ. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NOT_DECISIONS = frozenset({"latency_ms"})
"""Of a cycle's document: how long its parts took, which is another thing on every machine."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value, by its path in the document, as recorded and as replayed."""

    path: str
    recorded: Any
    replayed: Any


def differences(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """All of them, in the order of the recorded document; equal is to the last digit."""
    left = {k: v for k, v in recorded.items() if k not in NOT_DECISIONS}
    right = {k: v for k, v in replayed.items() if k not in NOT_DECISIONS}
    return tuple(_between("", left, right))


def _between(path: str, left: Any, right: Any) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in dict.fromkeys((*left, *right)):
            one = f"{path}.{key}" if path else str(key)
            yield from _between(one, left.get(key), right.get(key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from _between(f"{path}[{number}]", *pair)
    elif left != right:
        yield Difference(path, left, right)
