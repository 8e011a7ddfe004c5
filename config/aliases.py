"""Renamed and redenominated tokens, and contracts that count a token by the thousand."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from config.checked import checked
from config.errors import ConfigError
from config.explain import Problem, line
from config.fields import Base, Listed, Note, Strict
from config.show import printable, value_text
from config.venue import Exchange
from config.yaml_file import read_yaml

DISTINCT: Final = "distinct"

_FAMILIES = {
    "binance": "binanceusdm",
    "gateio": "gate",
    "huobi": "htx",
    "kucoin": "kucoinfutures",
    "myokx": "okx",
    "okex": "okx",
}


def exchange_family(exchange: str) -> str:
    """One id of ccxt for an exchange that has several."""
    return _FAMILIES.get(exchange, exchange)


@dataclass(frozen=True, slots=True)
class Rename:
    """A token that went on as another one.

    Attributes:
        old, new: base currencies.
        ratio: units of ``new`` for one unit of ``old``.
        since: first day on which ``new`` traded, UTC. Prices of the two are never spliced.
    """

    old: str
    new: str
    ratio: Decimal
    since: date


@dataclass(frozen=True, slots=True)
class Aliases:
    """The whole table.

    Attributes:
        renames: by old base currency.
        multipliers: token and its units in one, by the contract's base currency.
        names: base currency that is meant elsewhere by what an exchange calls so, by exchange and
            base; None: an asset that no other one lists.
    """

    renames: Mapping[str, Rename]
    multipliers: Mapping[str, tuple[str, int]]
    names: Mapping[tuple[str, str], str | None] = field(default_factory=dict)

    def stands_for(self, exchange: str, base: str, on: date) -> tuple[str, Decimal] | None:
        """The token behind ``base`` on an exchange on a day, and how many units of it one is.

        None where that exchange means an asset of its own by it.
        """
        family = exchange_family(exchange)
        if (family, base) in self.names:
            name = self.names[family, base]
            return None if name is None else self.canonical(name, on)
        token, units = self.multipliers.get(base, (base, 1))
        name = self.names.get((family, token), token)
        if name is None:
            return None
        known, more = self.canonical(name, on)
        return known, units * more

    def canonical(self, base: str, on: date) -> tuple[str, Decimal]:
        """The token that ``base`` stands for on a day, and how many units of it one is.

        ``AGIX`` is 0.43335 ``FET`` from 1 July 2024 on and itself before; ``1000PEPE`` is always
        1000 ``PEPE``. A base that is not in the table stands for itself.
        """
        token, units = self.multipliers.get(base, (base, 1))
        total = Decimal(units)
        while (rename := self.renames.get(token)) is not None and rename.since <= on:
            token, total = rename.new, total * rename.ratio
        return token, total

    def breaks(self, base: str) -> tuple[date, ...]:
        """Days on which a price series called ``base`` changed its meaning, oldest first."""
        token = self.multipliers.get(base, (base, 1))[0]
        days = {r.since for r in self.renames.values() if token in (r.old, r.new)}
        return tuple(sorted(days))


def _parse_day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


Day = Annotated[
    date,
    BeforeValidator(_parse_day),
    Field(ge=date(2009, 1, 3)),
    Note("a day as YYYY-MM-DD, not before 2009-01-03"),
]


class _RenameModel(Strict):
    old: Base
    new: Base
    ratio: Annotated[float, Field(gt=0, le=1e9), Note(unit="units of new for one of old")]
    since: Day


class _MultiplierModel(Strict):
    base: Base
    token: Base
    units: Annotated[int, Field(ge=2, le=10**9)]


class _NameModel(Strict):
    exchange: Exchange
    base: Base
    token: Annotated[
        Annotated[str, Field(pattern=r"^([^\s/:,a-z\x00-\x1f]{1,24}|distinct)$")],
        Note("the base currency that is meant, such as LUNA, or distinct"),
    ]


class _AliasesFile(Strict):
    renames: Annotated[tuple[_RenameModel, ...], Listed, Note("a list of renames")]
    multipliers: Annotated[tuple[_MultiplierModel, ...], Listed, Note("a list of multipliers")]
    names: Annotated[tuple[_NameModel, ...], Listed, Note("a list of names")] = ()


def load_aliases(path: Path | None = None) -> Aliases:
    """The table in ``path`` or, when it is None, the one that comes with perphedge.

    Raises:
        ConfigError: the file cannot be used: a token renamed twice or in a circle, a ratio that
            is not above 0, a day that does not exist; one line.
    """
    return _built_in() if path is None else _read(path)


@cache
def _built_in() -> Aliases:
    """Read once: that takes as long as reading all settings, and a start asks for it twice."""
    return _read(Path(str(files("config") / "aliases.yaml")))


def _read(file: Path) -> Aliases:
    where = printable(str(file))
    model = checked(_AliasesFile, read_yaml(file), where=where)
    if problems := list(_problems(model)):
        raise ConfigError(line(where, problems))
    return Aliases(
        # A float written with few digits prints as it was written, so the ratio is exact.
        renames={
            r.old: Rename(r.old, r.new, Decimal(repr(r.ratio)), r.since) for r in model.renames
        },
        multipliers={m.base: (m.token, m.units) for m in model.multipliers},
        names={
            (exchange_family(n.exchange), n.base): None if n.token == DISTINCT else n.token
            for n in model.names
        },
    )


def _problems(model: _AliasesFile) -> Iterator[Problem]:
    successor: dict[str, str] = {}
    for i, rename in enumerate(model.renames):
        path, value = f"renames[{i}]", value_text(rename.old)
        if rename.old in successor:
            yield Problem(f"{path}.old", value, "each token is renamed once")
            continue
        successor[rename.old] = rename.new
        token = rename.new
        while token in successor and token != rename.old:
            token = successor[token]
        if token == rename.old:
            yield Problem(f"{path}.new", value_text(rename.new), "renames must not form a circle")
            del successor[rename.old]
    seen: set[str] = set()
    bases = {m.base for m in model.multipliers}
    for i, multiplier in enumerate(model.multipliers):
        if multiplier.base in seen:
            value = value_text(multiplier.base)
            yield Problem(f"multipliers[{i}].base", value, "each contract only once")
        if multiplier.token in bases:
            value = value_text(multiplier.token)
            yield Problem(f"multipliers[{i}].token", value, "the token itself, not a multiple")
        seen.add(multiplier.base)
    named: set[tuple[str, str]] = set()
    for i, name in enumerate(model.names):
        key = exchange_family(name.exchange), name.base
        if key in named:
            value = value_text(name.base)
            yield Problem(f"names[{i}].base", value, "each name of an exchange only once")
        named.add(key)
