"""Sectors and aliases: what comes with perphedge, and what is refused in one's own files."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from config.aliases import Aliases, load_aliases
from config.errors import ConfigError
from config.load import settings_from
from config.sectors import Sector, load_sectors

MARKET = {
    *("AIXBT", "AKT", "ARKM", "FET", "GRASS", "GRT", "ICP", "INJ", "IO", "KAITO", "LPT"),
    *("NEAR", "NMR", "PHB", "RENDER", "ROSE", "TAO", "THETA", "VIRTUAL", "WLD"),
}


@pytest.fixture(scope="module")
def ai() -> Sector:
    return load_sectors()["ai"]


@pytest.fixture(scope="module")
def aliases() -> Aliases:
    return load_aliases()


def test_ai_sector_is_large_and_has_its_subsectors(ai: Sector) -> None:
    assert len(ai.tokens) >= 25
    assert set(ai.tokens) >= MARKET
    assert list(ai.subsectors) == ["compute", "data", "agents", "infrastructure"]
    assert ai.subsector_of["RENDER"] == "compute"
    assert ai.subsector_of["VIRTUAL"] == "agents"


def test_subsectors_split_the_sector(ai: Sector) -> None:
    parts = [ai.tokens_in(name) for name in ai.subsectors]
    assert all(len(part) >= 3 for part in parts)
    assert sorted(token for part in parts for token in part) == list(ai.tokens)


def test_no_token_of_the_sector_goes_by_an_old_name(ai: Sector, aliases: Aliases) -> None:
    assert not set(ai.tokens) & set(aliases.renames)
    assert not set(ai.tokens) & set(aliases.multipliers)


@pytest.mark.parametrize(
    ("base", "day", "token", "units"),
    [
        ("FET", date(2025, 1, 1), "FET", "1"),
        ("AGIX", date(2024, 6, 30), "AGIX", "1"),
        ("AGIX", date(2024, 7, 1), "FET", "0.43335"),
        ("OCEAN", date(2025, 1, 1), "FET", "0.433226"),
        ("RNDR", date(2025, 1, 1), "RENDER", "1"),
        ("MATIC", date(2024, 9, 12), "MATIC", "1"),
        ("MATIC", date(2024, 9, 13), "POL", "1"),
        ("FTM", date(2025, 1, 16), "S", "1"),
        ("KLAY", date(2025, 1, 1), "KAIA", "1"),
        ("1000PEPE", date(2023, 6, 1), "PEPE", "1000"),
        ("KPEPE", date(2025, 1, 1), "PEPE", "1000"),
        ("KAVA", date(2025, 1, 1), "KAVA", "1"),
        ("1MBABYDOGE", date(2025, 1, 1), "BABYDOGE", "1000000"),
    ],
)
def test_canonical(aliases: Aliases, base: str, day: date, token: str, units: str) -> None:
    assert aliases.canonical(base, day) == (token, Decimal(units))


def test_breaks(aliases: Aliases) -> None:
    assert aliases.breaks("FET") == (date(2024, 7, 1),)
    assert aliases.breaks("RNDR") == (date(2024, 7, 26),)
    assert aliases.breaks("TAO") == ()


def test_renames_chain(tmp_path: Path) -> None:
    file = tmp_path / "aliases.yaml"
    file.write_text(
        "renames:\n"
        "  - {old: B, new: C, ratio: 10, since: 2024-01-01}\n"
        "  - {old: A, new: B, ratio: 0.5, since: 2023-01-01}\n"
        "multipliers: [{base: 1000A, token: A, units: 1000}]\n"
    )
    aliases = load_aliases(file)
    assert aliases.canonical("1000A", date(2022, 1, 1)) == ("A", Decimal(1000))
    assert aliases.canonical("1000A", date(2023, 6, 1)) == ("B", Decimal(500))
    assert aliases.canonical("1000A", date(2024, 6, 1)) == ("C", Decimal(5000))
    assert aliases.breaks("B") == (date(2023, 1, 1), date(2024, 1, 1))


SECTOR = "sectors: {{ai: {{title: AI, subsectors: {{compute: C}}, tokens: {{{tokens}}}}}}}"
RENAME = "renames: [{{old: A, new: B, ratio: {ratio}, since: {since}}}]\nmultipliers: []"

WRONG_SECTORS = {
    "token twice": (
        SECTOR.format(tokens="IO: compute, IO: compute"),
        "line 1, column 75: IO is given twice, first in line 1",
    ),
    "unknown sub-sector": (
        SECTOR.format(tokens="IO: compute, FET: agents"),
        'sectors.ai.tokens.FET: "agents" — a sub-sector of ai, one of: compute',
    ),
    "small letters": (
        SECTOR.format(tokens="io: compute, FET: compute"),
        'sectors.ai.tokens.io: "io" — the base currency of a token in capitals, such as FET',
    ),
    "perpetual in place of a token": (
        SECTOR.format(tokens="IO/USDT:USDT: compute, FET: compute"),
        'sectors.ai.tokens.IO/USDT:USDT: "IO/USDT:USDT" — the base currency of a token in '
        "capitals, such as FET",
    ),
    "list of tokens": (
        "sectors: {ai: {title: AI, subsectors: {compute: C}, tokens: [IO, FET]}}",
        "sectors.ai.tokens: a list — a mapping",
    ),
    "sub-sector without tokens": (
        "sectors: {ai: {title: A, subsectors: {x: X, y: Y}, tokens: {IO: x, FET: x}}}",
        "sectors.ai.subsectors.y: no token — at least one token in it",
    ),
    "unknown key": (
        "sectors: {ai: {title: A, sub: {x: X}, tokens: {IO: x, FET: x}}}",
        "sectors.ai.sub: unknown key — known here: title, subsectors, tokens (and 1 more)",
    ),
    "no sectors": ("sectors: {}", "sectors: an empty mapping — a mapping"),
}
WRONG_ALIASES = {
    "ratio of zero": (
        RENAME.format(ratio=0, since="2024-01-01"),
        "renames[0].ratio: 0 — a number above 0 and at most 1000000000 (units of new for one of "
        "old)",
    ),
    "negative ratio": (
        RENAME.format(ratio=-1, since="2024-01-01"),
        "renames[0].ratio: -1 — a number above 0 and at most 1000000000 (units of new for one of "
        "old)",
    ),
    "ratio as text": (
        RENAME.format(ratio="'1:1'", since="2024-01-01"),
        'renames[0].ratio: "1:1" — a number above 0 and at most 1000000000 (units of new for '
        "one of old)",
    ),
    "day that does not exist": (
        RENAME.format(ratio=1, since="2024-02-30"),
        'renames[0].since: "2024-02-30" — a day as YYYY-MM-DD, not before 2009-01-03',
    ),
    "day in another order": (
        RENAME.format(ratio=1, since="30.01.2024"),
        'renames[0].since: "30.01.2024" — a day as YYYY-MM-DD, not before 2009-01-03',
    ),
    "month only": (
        RENAME.format(ratio=1, since="2024-07"),
        'renames[0].since: "2024-07" — a day as YYYY-MM-DD, not before 2009-01-03',
    ),
    "before there was anything to rename": (
        RENAME.format(ratio=1, since="1999-01-01"),
        'renames[0].since: "1999-01-01" — a day as YYYY-MM-DD, not before 2009-01-03',
    ),
    "renamed twice": (
        "renames: [{old: A, new: B, ratio: 1, since: 2024-01-01}, "
        "{old: A, new: C, ratio: 1, since: 2024-01-01}]\nmultipliers: []",
        'renames[1].old: "A" — each token is renamed once',
    ),
    "to itself": (
        "renames: [{old: A, new: A, ratio: 1, since: 2024-01-01}]\nmultipliers: []",
        'renames[0].new: "A" — renames must not form a circle',
    ),
    "in a circle": (
        "renames: [{old: A, new: B, ratio: 1, since: 2024-01-01}, "
        "{old: B, new: A, ratio: 1, since: 2025-01-01}]\nmultipliers: []",
        'renames[1].new: "A" — renames must not form a circle',
    ),
    "contract twice": (
        "renames: []\nmultipliers: [{base: KA, token: A, units: 1000}, "
        "{base: KA, token: B, units: 1000}]",
        'multipliers[1].base: "KA" — each contract only once',
    ),
    "multiple of a multiple": (
        "renames: []\nmultipliers: [{base: KA, token: A, units: 1000}, "
        "{base: KKA, token: KA, units: 1000}]",
        'multipliers[1].token: "KA" — the token itself, not a multiple',
    ),
    "broken units": (
        "renames: []\nmultipliers: [{base: KA, token: A, units: 0.5}]",
        "multipliers[0].units: 0.5 — a whole number from 2 to 1000000000",
    ),
    "no multipliers": ("renames: []", "multipliers: missing — a list of multipliers"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_SECTORS.values(), ids=WRONG_SECTORS.keys())
def test_wrong_sectors_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "sectors.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_sectors(file)
    assert str(caught.value) == f"{file}: {message}"


@pytest.mark.parametrize(("text", "message"), WRONG_ALIASES.values(), ids=WRONG_ALIASES.keys())
def test_wrong_aliases_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "aliases.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_aliases(file)
    assert str(caught.value) == f"{file}: {message}"


def test_own_sector_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "sectors: {l2: {title: Layer 2, subsectors: {r: R}, tokens: {ARB: r, OP: r}}}"
    )
    data = {
        "mode": "demo",
        "state_dir": "s",
        "venue": {"exchange": "binanceusdm", "account": "h"},
        "universe": {"sector": "l2", "sectors_file": "mine.yaml"},
    }
    settings = settings_from(data, where="here", base=tmp_path)
    assert load_sectors(settings.universe.sectors_file)["l2"].tokens == ("ARB", "OP")
