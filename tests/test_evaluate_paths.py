"""Books, quantities between decisions, and the money that a hedge makes and costs, by hand."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from bot.evaluate.books import GROSS_USD, BookPath, book_path
from bot.evaluate.decisions import Decisions, decisions_of
from bot.evaluate.estimates import coming_estimates, estimates
from bot.evaluate.paths import hedge_path, moments_of
from bot.evaluate.scores import book_score, score
from risk.covariance.factors import factor_model
from risk.errors import MissingDataError
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.rule import RuleStrategy
from tests.evaluate_scene import BASES, decisions, market_of, symbol, write_folder

CHOICES = HedgeChoices(limits=RiskLimits())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Decisions:
    return decisions(write_folder(tmp_path_factory.mktemp("market")))


def half_in_eth(facts: HedgeFacts) -> np.ndarray:
    target = np.zeros_like(facts.bot_usd)
    target[facts.symbols.index(symbol("ETH"))] = -facts.bot_usd.sum() / 2
    return target


@dataclass(frozen=True)
class Once:
    """Shorts half of the book in ETH at the first decision and never again."""

    name: str = "once"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices):
        rule = half_in_eth if not np.any(facts.hedge_usd) else lambda f: f.hedge_usd
        return RuleStrategy(self.name, "rolling_30d", rule).decide(facts, choices)


def steady_book(ours: Decisions) -> BookPath:
    """100 GRT and 50 TAO all along."""
    base = np.zeros((len(ours.rows), len(BASES)))
    base[:, ours.market.symbols.index(symbol("GRT"))] = 1000.0
    base[:, ours.market.symbols.index(symbol("TAO"))] = 500.0
    return BookPath(base, np.arange(len(base)) == 0)


def test_books_are_redrawn_weekly_from_a_start_of_their_own(ours: Decisions) -> None:
    paths = [book_path(ours, 3, 42, number) for number in range(12)]
    price = ours.market.close[ours.rows]
    offsets = set()
    for path in paths:
        drawn = np.flatnonzero(path.drawn)
        assert drawn[0] == 0
        assert np.all(np.diff(drawn[1:]) == 42)
        assert drawn[1] <= 42
        offsets.add(int(drawn[1]))
        assert np.all(np.count_nonzero(path.base, axis=1) == 3)
        assert not np.any(path.base[:, ~ours.market.in_sector])
        np.testing.assert_allclose((path.base * price)[drawn].sum(axis=1), GROSS_USD)
        held = np.flatnonzero(~path.drawn)
        np.testing.assert_array_equal(path.base[held], path.base[held - 1])
    assert len(offsets) > 5
    fixed = book_path(ours, 3, 42, 5, fixed=True)
    np.testing.assert_array_equal(fixed.drawn, paths[5].drawn)
    np.testing.assert_allclose((fixed.base * price).sum(axis=1), GROSS_USD)
    weights = fixed.base * price / GROSS_USD
    stays = np.flatnonzero(~fixed.drawn)
    np.testing.assert_allclose(weights[stays], weights[stays - 1])
    np.testing.assert_array_equal(book_path(ours, 3, 42, 5).base, paths[5].base)
    assert np.any(book_path(ours, 3, 43, 5).base != paths[5].base)


def test_a_token_that_stops_trading_leaves_the_book(ours: Decisions) -> None:
    path = book_path(ours, 3, 1, 0)
    gone = int(np.flatnonzero(path.base[10])[0])
    eligible = ours.eligible.copy()
    eligible[10:, gone] = False
    again = book_path(replace(ours, eligible=eligible), 3, 1, 0)
    assert again.drawn[10]
    assert not np.any(again.base[10:, gone])
    np.testing.assert_array_equal(again.base[:10], path.base[:10])
    with pytest.raises(MissingDataError, match="6 tokens with 30 days of bars at 2025-"):
        book_path(replace(ours, eligible=eligible), 7, 1, 0)


def test_quantities_are_kept_between_decisions_and_prices_move_them(ours: Decisions) -> None:
    market, book = ours.market, steady_book(ours)
    moments = moments_of(ours, estimates(ours, "rolling_30d", 0.0), 7.0)
    path = hedge_path(Once(), CHOICES, moments, ours, book)
    eth = market.symbols.index(symbol("ETH"))
    first = int(ours.rows[0])
    price = market.close[first]
    wanted = -(book.base[0] @ price) / 2
    lots = path.base[0, eth] / market.lot_base[eth]
    assert lots == pytest.approx(round(lots), abs=1e-6)
    assert path.base[0, eth] * price[eth] == pytest.approx(wanted, abs=market.lot_base[eth] * 10)
    np.testing.assert_allclose(path.base, np.broadcast_to(path.base[0], path.base.shape))
    assert path.traded_usd[0] == pytest.approx(-path.base[0, eth] * price[eth])
    assert not np.any(path.traded_usd[1:])

    exposed = (book.base + path.base)[7] * market.close[ours.rows[7]]
    sigma = moments[7].covariance_daily
    assert path.predicted_usd[7] == pytest.approx(np.sqrt(exposed @ sigma @ exposed))

    # The same by hand: money is quantity times price, nothing is rebalanced on the way.
    worth = market.close[first:] @ (book.base[0] + path.base[0])
    bare = market.close[first:] @ book.base[0]
    hedged, unhedged = np.diff(worth), np.diff(bare)
    judges = [factor_model(one) for one in coming_estimates(ours)]
    found = book_score(ours, book, path, judges, 7.0)
    assert found.figures["effectiveness_hourly"] == pytest.approx(1 - hedged.var() / unhedged.var())
    days = len(hedged) // 24
    daily = hedged[: days * 24].reshape(days, 24).sum(axis=1)
    before = unhedged[: days * 24].reshape(days, 24).sum(axis=1)
    assert found.figures["effectiveness_daily"] == pytest.approx(1 - daily.var() / before.var())
    worst = np.sort(daily)[: int(np.ceil(0.05 * days))].mean()
    worst_before = np.sort(before)[: int(np.ceil(0.05 * days))].mean()
    assert found.figures["es95_cut"] == pytest.approx(1 - worst / worst_before)

    span = len(hedged) / 24
    turnover = path.traded_usd[0] / bare[0] / span
    assert found.figures["turnover_per_day"] == pytest.approx(turnover)
    assert found.figures["cost_bps_per_day"] == pytest.approx(7 * turnover)

    paid, costs = 0.0, np.zeros(len(hedged))
    gross = np.repeat(bare[::4], 4)[: len(hedged)]
    for t in range(1, len(worth)):
        fee = path.base[0, eth] * market.close[first + t, eth] * market.funding_rate[first + t, eth]
        costs[t - 1] += fee
        paid += fee / gross[t - 1]
    assert paid < 0, "shorts receive while longs pay"
    assert found.figures["funding_bps_per_day"] == pytest.approx(paid / span * 1e4)
    costs[0] += path.traded_usd[0] * 7e-4
    net = (hedged - costs)[: days * 24].reshape(days, 24).sum(axis=1)
    assert found.figures["effectiveness_daily_net"] == pytest.approx(1 - net.var() / before.var())


def test_with_fixed_weights_a_hedge_keeps_its_notional_free_of_charge(ours: Decisions) -> None:
    market, book = ours.market, steady_book(ours)
    moments = moments_of(ours, estimates(ours, "rolling_30d", 0.0), 7.0)
    path = hedge_path(Once(), CHOICES, moments, ours, book, fixed=True)
    eth = market.symbols.index(symbol("ETH"))
    price = market.close[ours.rows, eth]
    lot = market.lot_base[eth]
    assert price.max() / price.min() > 1.05  # so that keeping the quantity would show
    # Half a lot off at most, and the halves of many decisions do not add up.
    off_usd = np.abs(path.base[:, eth] * price - path.base[0, eth] * price[0])
    assert np.all(off_usd <= 0.5 * lot * price * (1 + 1e-9))
    np.testing.assert_allclose(path.base[:, eth] / lot, np.round(path.base[:, eth] / lot))
    assert not np.any(path.traded_usd[1:])


def test_funding_is_charged_at_its_hour_and_no_other(ours: Decisions) -> None:
    market = ours.market
    series = market.funding[symbol("ETH")]
    column = market.funding_rate[:, market.symbols.index(symbol("ETH"))]
    known = dict(zip(series.time_ms.tolist(), series.rate.tolist(), strict=True))
    expected = [known.get(time, 0.0) for time in market.time_ms.tolist()]
    np.testing.assert_array_equal(column, expected)
    assert np.count_nonzero(column) >= 3 * 43


def test_a_hedge_that_stops_trading_is_closed_at_its_last_price(ours: Decisions) -> None:
    eth = ours.market.symbols.index(symbol("ETH"))
    eligible = ours.eligible.copy()
    eligible[20:, eth] = False
    there = replace(ours, eligible=eligible)
    moments = moments_of(there, estimates(there, "rolling_30d", 0.0), 7.0)
    strategy = RuleStrategy(
        "half",
        "rolling_30d",
        lambda f: half_in_eth(f) if symbol("ETH") in f.symbols else 0 * f.bot_usd,
    )
    path = hedge_path(strategy, CHOICES, moments, there, steady_book(ours))
    assert path.base[19, eth] < 0
    assert not np.any(path.base[20:])
    price = ours.market.close[ours.rows[20], eth]
    assert path.traded_usd[20] == pytest.approx(-path.base[19, eth] * price)


def test_late_tokens_join_after_thirty_days_unless_complete_ones_are_asked_for(tmp_path) -> None:
    folder = write_folder(tmp_path, late="INJ")
    assert symbol("INJ") not in market_of(folder).symbols
    late = decisions(folder, complete=False)
    column = late.market.symbols.index(symbol("INJ"))
    joined = np.flatnonzero(late.eligible[:, column])
    first = late.rows[joined[0]]
    assert late.market.there[: first + 1, column].sum() >= 30 * 24
    assert late.market.there[: first - 3, column].sum() < 30 * 24
    assert all(
        len(one.symbols) == late.eligible[k].sum() for k, one in enumerate(coming_estimates(late))
    )


def test_a_token_without_a_price_yet_is_no_hindrance(tmp_path) -> None:
    there = decisions(write_folder(tmp_path, days=38, late="INJ"), complete=False)
    late = there.market.symbols.index(symbol("INJ"))
    before = replace(there.market, start=there.market.start - 20 * 24)  # INJ has no bar yet
    rows = decisions_of(before, 4).rows
    assert np.isnan(before.close[rows[0], late])
    eligible = np.ones((len(rows), len(before.symbols)), dtype=bool)
    eligible[:, late] = False
    early = replace(decisions_of(before, 4), eligible=eligible)
    moments = moments_of(early, estimates(early, "rolling_30d", 0.0), 7.0)
    strategy = RuleStrategy("half", "rolling_30d", half_in_eth)
    book = book_path(early, 3, 1, 0)
    path = hedge_path(strategy, CHOICES, moments, early, book)
    judges = [factor_model(one) for one in coming_estimates(early)]
    found = book_score(early, book, path, judges, 7.0)
    assert np.all(np.isfinite(path.base))
    assert all(np.isfinite(value) for value in found.figures.values())


def test_errors_of_the_mean_are_those_of_the_books() -> None:
    from bot.evaluate.scores import BookScore

    names = score([_fixed(1.0)]).figures
    three = [_fixed(value) for value in (1.0, 2.0, 6.0)]
    found = score(three)
    for name in names:
        assert found.figures[name] == pytest.approx(3.0)
        assert found.errors[name] == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(found.loss, [3.0, 6.0])
    assert found.held == 3
    assert isinstance(three[0], BookScore)


def _fixed(value: float):
    from bot.evaluate.scores import _MEASURES, BookScore

    return BookScore(dict.fromkeys(_MEASURES, value), np.array([value, 2 * value]), 1)
