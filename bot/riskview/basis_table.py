"""The table of what bots hold on other exchanges, and how prices and funding differ there."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from bot.cli.tables import plain_table
from bot.report import words

TITLE = "Held on other exchanges: what differs from the same token on the hedges' exchange"
_COLUMNS = ("Held", "Basis now", "Basis, daily", "Funding there", "Funding here", "A year")


def basis_table(rows: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """One row a contract, of the ``elsewhere`` of a document; None where there is none."""
    if not rows:
        return None
    table = plain_table()
    table.add_column("Contract", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in rows:
        table.add_row(*(Text(cell) for cell in _cells(one)))
    return table


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    annual = words.number(one["funding_difference_annual"])
    wide = words.number(one["basis_volatility_daily_bps"])
    return (
        words.base(str(one["symbol"])),
        words.signed(words.number(one["notional_usd"])),
        _bps(one["basis_bps"]),
        words.ABSENT if wide is None else f"± {wide:,.1f} bps",
        _bps(one["funding_daily_bps"]),
        _bps(one["home_funding_daily_bps"]),
        words.ABSENT if annual is None else f"{annual:+.1%}",
    )


def _bps(value: object) -> str:
    number = words.number(value)
    return words.ABSENT if number is None else f"{number:+,.1f} bps"
