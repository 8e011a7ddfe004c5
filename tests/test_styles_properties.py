"""Whatever prices and the line do: no style trades more than was meant, and nothing is hidden."""

import asyncio
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.faults.errors import ProcessEndedError
from bot.trading.cancels import cancel_resting
from bot.trading.planner import Plan
from bot.trading.reconcile import recover, resolve_unresolved
from bot.trading.styles import ExecutionStyles, Style
from tests.execute_scene import ACCOUNT, FET, TAO, leg, plan_of
from tests.styles_scene import POST_ONLY, PRICES, Street, StyleStage, open_styles

MEANT = {FET: Decimal(-8000), TAO: Decimal(-3)}
SLICED = ExecutionStyles(style=Style.SLICED, max_slices=4)
STYLES = (ExecutionStyles(), POST_ONLY, SLICED)

moves = st.lists(
    st.tuples(st.floats(0, 80), st.sampled_from((FET, TAO)), st.floats(0.992, 1.008)), max_size=12
)
losses = st.lists(
    st.tuples(st.sampled_from(("place", "cancel", "dies")), st.integers(1, 12)), max_size=3
)


class Watch:
    """Looks at every request: what is held and open never exceeds what was meant."""

    def __init__(self, stage: StyleStage, faults: list[tuple[str, int]]) -> None:
        self.stage = stage
        self.faults = set(faults)
        self.seen = Counter[str]()

    def __call__(self, _street: Street, what: str) -> None:
        account, journal = self.stage.account, self.stage.journal
        open_by = Counter(order.symbol for order in account.open_orders())
        assert all(count == 1 for count in open_by.values())
        for symbol, meant in MEANT.items():
            held = sum((p.quantity for p in account.held(symbol)), Decimal(0))
            rest = sum((o.remaining for o in account.open_orders(symbol)), Decimal(0))
            assert held - rest >= meant, f"{what}: {held} and {rest} of {meant}"
            known = journal.own_positions(ACCOUNT).get((symbol, "BOTH"), Decimal(0))
            pending = sum(
                r.open_quantity for r in journal.unresolved_orders(ACCOUNT) if r.symbol == symbol
            )
            assert known - pending <= held - rest, "at worst, the journal knows of all of it"
        kind = what.partition(" ")[0]
        self.seen[kind] += 1
        self.seen["dies"] += 1
        if ("cancel", self.seen["cancel"]) in self.faults and kind == "cancel":
            self.stage.venue.lose_cancels += 1
        if ("dies", self.seen["dies"]) in self.faults:
            raise ProcessEndedError


async def play(
    folder: Path, styles: ExecutionStyles, path: list[Any], faults: list[tuple[str, int]]
) -> None:
    street: Street | None = None
    for life in range(2):
        async with open_styles(folder, styles, street=street) as stage:
            first, street = street is None, stage.street
            if first:
                street.depth = 20_000.0
                for seconds, symbol, factor in path:
                    street.later(seconds, symbol, PRICES[symbol] * factor)
            try:
                if life:
                    await resting_gone(stage)
                street.at = Watch(stage, faults if life == 0 else [])
                await cycles(stage, life)
            except ProcessEndedError:
                pass
            finally:
                street.at = lambda _street, _what: None
        stage.clock.advance_to(stage.clock.now_ms() + 20_000)
    async with open_styles(folder, styles, street=street) as stage:
        await resting_gone(stage)
        assert stage.account.open_orders() == []
        held = {(p.symbol, "BOTH"): p.quantity for p in stage.account.held() if p.quantity}
        unknown = {r.symbol for r in stage.journal.unresolved_orders(ACCOUNT)}
        assert {k: q for k, q in stage.own.items() if k[0] not in unknown} == {
            k: q for k, q in held.items() if k[0] not in unknown
        }


async def resting_gone(stage: StyleStage) -> None:
    await recover(stage.journal, stage.venue, stage.clock)
    await cancel_resting(stage.journal, stage.venue, stage.clock, "it outlived its engine")


async def cycles(stage: StyleStage, life: int) -> None:
    for number in range(3):
        cycle_id = f"c{life}-{number}"
        await resolve_unresolved(stage.journal, stage.venue, stage.clock)
        await cancel_resting(stage.journal, stage.venue, stage.clock, "it outlived its plan")
        legs = []
        for symbol, meant in MEANT.items():
            held = stage.own.get((symbol, "BOTH"), Decimal(0))
            legs.append(leg(symbol, held, meant - held, stage.street.mark(symbol)))
        plan = plan_of(
            *(one for one in legs if abs(one.trade_usd) > 10),
            own=stage.own,
            cycle_id=cycle_id,
            quotes=stage.street.all_quotes(),
        )
        await stage.run(plan if number != 1 else Plan((), (), ()), cycle_id, continuing=number == 1)
        await stage.clock.sleep(30)


@settings(max_examples=10, deadline=None)
@given(style=st.sampled_from(STYLES), path=moves, faults=losses)
def test_nothing_exceeds_what_was_meant(
    style: ExecutionStyles, path: list[Any], faults: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), style, path, faults))
