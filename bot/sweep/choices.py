"""Which settings a sweep tries. Pure.

An axis is a setting and its values, as typed: ``caps.net_usd=10000,20000`` for a grid, or
``hedge.risk_aversion=1..8`` for a range that is drawn from.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from bot.errors import UsageError

MOST_CHOICES = 100_000
Scalar = str | int | float | bool | None
Choice = Mapping[str, Scalar]
"""A value for each setting, by its path in the configuration: ``caps.net_usd``."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting.

    Attributes:
        path: sections and key, with dots.
        values: to choose from; empty for a range.
        low, high: ends of a range, in which values are drawn; both whole: whole numbers are.
    """

    path: str
    values: tuple[Scalar, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def is_range(self) -> bool:
        """Drawn from, not gone through."""
        return not self.values

    def drawn(self, die: np.random.Generator) -> Scalar:
        """One of its values, all as likely."""
        if self.values:
            return self.values[int(die.integers(len(self.values)))]
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(die.integers(self.low, self.high + 1))
        return float(die.uniform(self.low, self.high))


def axis_of(text: str) -> Axis:
    """An axis as typed.

    Raises:
        UsageError: it is none.
    """
    path, sign, told = text.partition("=")
    if not sign or not path.strip() or not told.strip():
        raise UsageError(
            f"--set {text}: must be like caps.net_usd=10000,20000 or hedge.risk_aversion=1..8"
        )
    path = path.strip()
    if ".." in told:
        return _range(text, path, told)
    values = tuple(_scalar(text, one) for one in told.split(","))
    if len(set(map(repr, values))) < len(values):
        raise UsageError(f"--set {text}: names a value twice")
    return Axis(path, values)


def grid(axes: Sequence[Axis]) -> list[Choice]:
    """Every combination, in the order of the axes; one empty choice without any.

    Raises:
        UsageError: an axis is a range, or there are too many.
    """
    for axis in axes:
        if axis.is_range:
            raise UsageError(f"--set {axis.path}: a range is drawn from: name --random N")
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST_CHOICES:
        raise UsageError(f"--set: {count} combinations, at most {MOST_CHOICES}; use --random N")
    return [
        dict(zip([axis.path for axis in axes], values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]


def drawn(axes: Sequence[Axis], count: int, seed: int) -> list[Choice]:
    """So many random choices, each once; fewer where there are no more."""
    die = np.random.default_rng(seed)
    found: dict[str, Choice] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        choice = {axis.path: axis.drawn(die) for axis in axes}
        found.setdefault(repr(choice), choice)
    return list(found.values())


def applied(data: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """A configuration with the choice's values in it; the one given stays as it is.

    Raises:
        UsageError: a path leads through something that is no section.
    """
    found = dict(data)
    for path, value in choice.items():
        *sections, key = path.split(".")
        inside = found
        for name in sections:
            below = inside.get(name)
            if below is not None and not isinstance(below, Mapping):
                raise UsageError(f"--set {path}: {name} is no section of the configuration")
            inside[name] = dict(below or {})
            inside = inside[name]
        inside[key] = value
    return found


def _range(text: str, path: str, told: str) -> Axis:
    low, _, high = told.partition("..")
    ends = [_scalar(text, one) for one in (low, high)]
    numbers = [one for one in ends if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)) or not numbers[0] < numbers[1]:
        raise UsageError(f"--set {text}: a range must be two numbers that rise, like 1..8")
    return Axis(path, (), *numbers)


def _scalar(text: str, told: str) -> Scalar:
    """As YAML reads it, so that null, true and 1e4 are what they are in the file."""
    try:
        value = yaml.safe_load(told)
    except yaml.YAMLError:
        raise UsageError(f"--set {text}: {told.strip()!r} is no plain value") from None
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 1e4 for text
        except ValueError:
            return value
    if value is None or isinstance(value, bool | int | float):
        return value
    raise UsageError(f"--set {text}: {told.strip()!r} is no plain value")
