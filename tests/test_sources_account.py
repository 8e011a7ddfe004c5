"""A bot's own account as a source: rows of both modes, and errors that name the source."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError, VenueError
from bot.sources.account import AccountSource
from bot.venues.ccxt_reading import liquidation_prices, read_positions
from risk.errors import DataError, MissingDataError, StaleDataError
from tests.execute_scene import FET, NOW_MS, TAO, ScriptedVenue, account


async def test_rows_of_hedge_mode_stay_apart() -> None:
    seen = account(
        {(FET, "LONG"): Decimal(10), (FET, "SHORT"): Decimal(-4), (TAO, "LONG"): Decimal(1)},
        hedge_mode=True,
    )
    seen = replace(
        seen,
        liquidation_price={(FET, "LONG"): 0.2, (FET, "SHORT"): 1.9},
        margin_rate={FET: 0.1},
        open_order_symbols=frozenset({TAO}),
    )

    class Fixed(ScriptedVenue):
        async def account(self):  # type: ignore[no-untyped-def]  # as the port has it
            return seen

    snapshot = await AccountSource("bot-a", Fixed(SimulatedClock(NOW_MS)), 5_000).read()
    rows = {(p.symbol, p.position_side): p for p in snapshot.positions}
    assert {key: p.base_quantity for key, p in rows.items()} == dict(seen.base_quantity)
    assert rows[FET, "LONG"].liquidation_price == 0.2
    assert rows[FET, "SHORT"].liquidation_price == 1.9
    assert rows[FET, "SHORT"].leverage == pytest.approx(10)
    assert rows[TAO, "LONG"].leverage is None
    assert (snapshot.source, snapshot.timestamp_ms) == ("bot-a", NOW_MS)
    assert snapshot.listed == {TAO}


@pytest.mark.parametrize(
    "kind", [UnreachableError, VenueError, DataError, MissingDataError, StaleDataError]
)
async def test_errors_keep_their_kind_and_name_the_source(kind: type[Exception]) -> None:
    venue = ScriptedVenue(SimulatedClock(NOW_MS), account_error=kind("no reply"))
    with pytest.raises(kind, match=r"^source bot-a: no reply$"):
        await AccountSource("bot-a", venue, 5_000).read()


def position(**changes: object) -> dict[str, object]:
    return {"symbol": FET, "contracts": 3.0, "side": "short", "hedged": False, **changes}


def test_contracts_become_base_units_by_their_size() -> None:
    market = {"symbol": FET, "swap": True, "linear": True, "contractSize": 10.0}
    held = read_positions([position()], {FET: market})
    assert held == {(FET, "BOTH"): Decimal(-30)}
    both = [position(hedged=True), position(hedged=True, side="long", contracts=0.1)]
    assert read_positions(both, {FET: market}) == {
        (FET, "SHORT"): Decimal(-30),
        (FET, "LONG"): Decimal(1),
    }


def test_liquidation_prices_of_both_legs() -> None:
    rows = [
        position(hedged=True, liquidationPrice=1.9),
        position(hedged=True, side="long", liquidationPrice=0.2),
        position(symbol=TAO, liquidationPrice=None),
    ]
    assert liquidation_prices(rows) == {(FET, "SHORT"): 1.9, (FET, "LONG"): 0.2}
