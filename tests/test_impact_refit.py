"""The refit on simulated fills of a known law, cut into orders and slices as the styles do."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.trading.impact_refit import ImpactRefit
from bot.trading.order_costs import Arrival, SymbolCost, Touch, order_cost
from bot.trading.orders import Fill, Side
from bot.trading.styles import Style
from strategies.impact_fit import ImpactPrior
from tests.execute_scene import FET, NOW_MS

MID, HALF_SPREAD = 0.5, 0.0002
SCALE = 0.05 / 5e6**0.5  # 5 % a day, 5 million USD a day
NOISE = 3e-5


@dataclass(frozen=True)
class Market:
    """A trade of Z USD that is taken at once pays Y·s·√Z on average, so C(Z) = Y·s·Z^{3/2}."""

    coefficient: float

    def cost_usd(self, taken_usd: float) -> float:
        return self.coefficient * SCALE * taken_usd**1.5

    def moved(self, taken_usd: float) -> float:
        """By how much the best price lies away once so much was taken: dC/dZ."""
        return 1.5 * self.coefficient * SCALE * taken_usd**0.5


def exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def costs_of(
    market: Market,
    parts_usd: list[float],
    rng: np.random.Generator,
    *,
    intent: str,
    style: Style,
    quotes_refreshed: bool,
    recovers: bool,
) -> list[dict[str, Any]]:
    """Sales of one intent, one order after another."""
    expected = SymbolCost(0.0005, 0.0004, SCALE, SCALE)
    before_usd, found = 0.0, []
    for number, part_usd in enumerate(parts_usd):
        taken_usd = 0.0 if recovers else before_usd
        away = market.moved(taken_usd) if quotes_refreshed else 0.0
        drift = away + (0.004 * rng.standard_normal() if recovers and number else 0.0)
        # What the order pays against the best price before the intent's first order.
        paid = (market.cost_usd(taken_usd + part_usd) - market.cost_usd(taken_usd)) / part_usd
        market_moved = drift - away
        mid = MID * (1 - drift)
        bid = MID * (1 - HALF_SPREAD - drift)
        price = MID * (1 - HALF_SPREAD - paid - market_moved - NOISE * rng.standard_normal())
        trade = Fill(
            f"{intent}-{number}", "v", f"{intent}-{number}", FET, Side.SELL,
            exact(part_usd / MID), exact(price), Decimal(0), None, False, NOW_MS,
        )  # fmt: skip
        cost = order_cost(
            [trade],
            Arrival(MID, MID, expected),
            Touch(exact(bid), exact(2 * mid - bid)),
            client_id=f"{intent}-{number}",
            intent_id=intent,
            intent_quantity=exact(-sum(parts_usd) / MID),
            style=style,
        )
        assert cost is not None
        found.append(cost.document())
        before_usd += part_usd
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)) as journal:
        yield journal


def estimated(journal: Journal, plans: list[list[dict[str, Any]]]) -> tuple[float, float, int]:
    """Slope, its standard error, and of how many points, by what these plans add."""
    refit = ImpactRefit(journal, ImpactPrior(worth_fills=1.0), used=True)
    refit._seen = journal.newest_event()
    for plan in plans:
        journal.record_event("order_costs", {"costs": plan})
    refit.update()
    fit = refit.fit
    assert fit is not None
    assert fit.raw is not None
    assert fit.standard_error is not None
    return fit.raw, fit.standard_error / fit.weight, fit.fills


@pytest.mark.parametrize("coefficient", [0.4, 2.5])
@pytest.mark.parametrize("quotes_refreshed", [False, True])
def test_the_coefficient_is_found_whatever_an_intent_was_cut_into(
    coefficient: float, quotes_refreshed: bool, journal: Journal
) -> None:
    market, far = Market(coefficient), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        plans = []
        for number in range(40):
            sliced = number % 2 == 1
            whole = float(rng.uniform(500, 16_000))
            style = Style.SLICED if sliced else Style.IOC
            count = 10 if sliced else int(np.ceil(whole / 2000))
            orders = costs_of(
                market, [whole / count] * count, rng, intent=f"i{seed}-{number}", style=style,
                quotes_refreshed=quotes_refreshed, recovers=sliced,
            )  # fmt: skip
            plans.append(orders[:8] if sliced else orders)
        raw, error, points = estimated(journal, plans)
        assert points == 20, "one for each intent that was taken at once"
        far.append((raw - coefficient) / error)
    assert abs(np.mean(far)) < 3 / 12**0.5
    assert 0.6 < np.std(far) < 1.5


def test_slices_alone_say_nothing(journal: Journal) -> None:
    rng = np.random.default_rng(1)
    orders = costs_of(
        Market(1.0), [1000.0] * 10, rng, intent="i", style=Style.SLICED,
        quotes_refreshed=True, recovers=True,
    )  # fmt: skip
    refit = ImpactRefit(journal, ImpactPrior(), used=True)
    journal.record_event("order_costs", {"costs": orders})
    refit.update()
    assert refit.fit is None
    assert refit.impact(0.7) == 0.7


def test_what_was_left_of_an_intent_counts_by_its_own_size(journal: Journal) -> None:
    """Half of it rested and was taken by others; only the other half moved the price."""
    market, rng = Market(1.0), np.random.default_rng(2)
    plans = []
    for number in range(40):
        taken = float(rng.uniform(500, 8000))
        [order] = costs_of(
            market, [taken], rng, intent=f"i{number}", style=Style.POST_ONLY,
            quotes_refreshed=True, recovers=False,
        )  # fmt: skip
        whole = {
            **order,
            "intent_usd": 2 * taken,
            "participation_root": order["participation_root"] * 2**0.5,
        }
        rested = {**whole, "client_id": "rested", "maker_share": 1.0, "impact_usd": 0.0}
        plans.append([rested, whole])
    raw, error, points = estimated(journal, plans)
    assert points == 40
    assert abs(raw - 1.0) < 3 * error
