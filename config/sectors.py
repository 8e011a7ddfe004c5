"""Sectors: which tokens belong together, and to which sub-sector each belongs."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.checked import checked
from config.errors import ConfigError
from config.explain import Problem, line
from config.fields import Base, Name, Strict
from config.show import key_name, printable, value_text
from config.yaml_file import read_yaml


@dataclass(frozen=True, slots=True)
class Sector:
    """One sector.

    Attributes:
        name: as the config calls it, ``ai``.
        title: for people.
        subsectors: titles by name, in the file's order.
        subsector_of: name of the sub-sector by base currency, in the file's order.
    """

    name: str
    title: str
    subsectors: Mapping[str, str]
    subsector_of: Mapping[str, str]

    @property
    def tokens(self) -> tuple[str, ...]:
        """Base currencies of all tokens, sorted."""
        return tuple(sorted(self.subsector_of))

    def tokens_in(self, subsector: str) -> tuple[str, ...]:
        """Base currencies of one sub-sector, sorted."""
        return tuple(sorted(t for t, s in self.subsector_of.items() if s == subsector))


Title = Annotated[str, Field(min_length=1, max_length=80)]


class _SectorModel(Strict):
    title: Title
    subsectors: Annotated[dict[Name, Title], Field(min_length=1)]
    tokens: Annotated[dict[Base, Name], Field(min_length=2)]


class _SectorsFile(Strict):
    sectors: Annotated[dict[Name, _SectorModel], Field(min_length=1)]


def load_sectors(path: Path | None = None) -> dict[str, Sector]:
    """Sectors by name, from ``path`` or, when it is None, those that come with perphedge.

    Raises:
        ConfigError: the file cannot be used: a token given twice, a sub-sector that is not
            declared or is empty, an unknown key; one line.
    """
    file = Path(str(files("config") / "sectors.yaml")) if path is None else path
    where = printable(str(file))
    model = checked(_SectorsFile, read_yaml(file), where=where)
    problems = [p for name, sector in model.sectors.items() for p in _problems(name, sector)]
    if problems:
        raise ConfigError(line(where, problems))
    return {
        name: Sector(name, sector.title, dict(sector.subsectors), dict(sector.tokens))
        for name, sector in model.sectors.items()
    }


def _problems(name: str, sector: _SectorModel) -> list[Problem]:
    known = ", ".join(sector.subsectors)
    unknown = [
        Problem(
            f"sectors.{name}.tokens.{key_name(token)}",
            value_text(subsector),
            f"a sub-sector of {name}, one of: {known}",
        )
        for token, subsector in sector.tokens.items()
        if subsector not in sector.subsectors
    ]
    empty = [
        Problem(f"sectors.{name}.subsectors.{subsector}", "no token", "at least one token in it")
        for subsector in sector.subsectors
        if subsector not in sector.tokens.values()
    ]
    return unknown + empty
