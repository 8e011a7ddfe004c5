"""Reads a configuration file into Settings, or says in one line why it cannot.

Relative paths in the file count from the folder of the file, wherever the command is started
from: an engine that finds another ``state_dir`` would not know its own hedges. Only the profiles
that come with perphedge count from the current folder, so that nothing is written into the
installation. Environment variables set secrets (config/secrets.py) and nothing else.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from config.aliases import load_aliases
from config.checked import checked
from config.errors import ConfigError
from config.explain import Problem, line
from config.rules import conflicts
from config.sectors import load_sectors
from config.settings import Settings
from config.show import printable, value_text
from config.yaml_file import read_yaml

PROFILES = ("demo", "paper", "live")


def profile_path(name: str) -> Path:
    """The profile of this name that comes with perphedge.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROFILES:
        raise ConfigError(f"profile: {value_text(name)} — one of: {', '.join(PROFILES)}")
    return _profiles_folder() / f"{name}.yaml"


def load_settings(
    path: Path | str, over: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Settings:
    """The settings in a YAML file.

    Args:
        over: keys by section that take the place of the file's, as plain values.

    Raises:
        ConfigError: one line, ``FILE: field: value — what is allowed``; of several problems the
            first, with the number of the others.
    """
    file = Path(path)
    data = read_yaml(file)
    for section, keys in over.items():
        known = data.get(section) or {}
        if isinstance(known, Mapping):  # else it is refused as it is
            data = {**data, section: {**known, **keys}}
    return settings_from(data, where=str(path), base=profile_base(file))


def profile_base(file: Path) -> Path:
    """Folder from which relative paths of a configuration file count."""
    inside = file.resolve().parent == _profiles_folder().resolve()
    return Path() if inside else file.parent


def settings_from(data: Mapping[str, Any], *, where: str, base: Path) -> Settings:
    """Settings from plain values, as a YAML file holds them.

    Args:
        data: keys and values.
        where: what error messages call their origin.
        base: folder from which relative paths count.

    Raises:
        ConfigError: as for ``load_settings``.
    """
    where = printable(where)
    settings = checked(Settings, data, where=where, base=base)
    if problems := conflicts(settings):
        raise ConfigError(line(where, problems))
    sectors = load_sectors(settings.universe.sectors_file)
    load_aliases(settings.universe.aliases_file)
    if settings.universe.sector not in sectors:
        value = value_text(settings.universe.sector)
        problem = Problem("universe.sector", value, f"one of: {', '.join(sorted(sectors))}")
        raise ConfigError(line(where, [problem]))
    return settings


def _profiles_folder() -> Path:
    return Path(str(files("config") / "profiles"))
