"""The impact coefficient from own fills: known coefficients, wild fills, and a real journal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from bot.trading.impact_refit import ImpactRefit
from bot.trading.order_costs import SymbolCost
from bot.trading.styles import ExecutionStyles
from risk.errors import DataError
from strategies.impact_fit import ImpactPrior, fit_impact
from tests.cycle_scene import FET, open_scene, paper_settings
from tests.execute_scene import BTC, leg, plan_of
from tests.styles_scene import open_styles

PRIOR = ImpactPrior()


def fills(count: int, coefficient: float, seed: int, wild: float = 0.0) -> tuple[np.ndarray, ...]:
    """Fills of the law with errors of a tenth of a basis point to one, some of them wild."""
    rng = np.random.default_rng(seed)
    x = 0.05 * np.sqrt(rng.uniform(1e-6, 1e-3, count))
    y = coefficient * x + 5e-5 * rng.standard_normal(count)
    y = np.where(rng.random(count) < wild, y + 100e-4, y)
    return x, y


@pytest.mark.parametrize("coefficient", [0.3, 0.8, 2.0])
def test_a_known_coefficient_is_found_within_its_error(coefficient: float) -> None:
    far = []
    for seed in range(40):
        fit = fit_impact(*fills(400, coefficient, seed), PRIOR)
        assert fit.raw is not None
        assert fit.standard_error is not None
        far.append((fit.raw - coefficient) / (fit.standard_error / fit.weight))
    assert abs(np.mean(far)) < 3 / 40**0.5
    assert 0.7 < np.std(far) < 1.3


def test_least_squares_would_be_far_off() -> None:
    x, y = fills(400, 0.8, 1, wild=0.05)
    fit = fit_impact(x, y, PRIOR)
    assert fit.raw is not None
    assert abs(fit.raw - 0.8) < 0.1
    assert abs(x @ y / (x @ x) - 0.8) > 0.3


def test_it_minimises_hubers_loss() -> None:
    """Against a search by scipy at the scale that it ends with."""
    x, y = fills(120, 1.1, 3, wild=0.1)
    fit = fit_impact(x, y, PRIOR)
    assert fit.raw is not None
    scale = 1.4826 * np.median(np.abs(y - fit.raw * x))

    def loss(slope: np.ndarray) -> float:
        r = np.abs(y - slope[0] * x) / scale
        return float(np.sum(np.where(r <= 1.345, r * r / 2, 1.345 * (r - 1.345 / 2))))

    best = minimize(loss, [1.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    assert fit.raw == pytest.approx(best.x[0], rel=1e-5)


def test_few_fills_leave_the_prior_and_many_outweigh_it() -> None:
    weights = [fit_impact(*fills(n, 2.0, 5), PRIOR) for n in (0, 2, 3, 100, 10_000)]
    assert [f.weight for f in weights] == pytest.approx([0, 0, 3 / 103, 0.5, 10_000 / 10_100])
    assert [f.raw is None for f in weights] == [True, True, False, False, False]
    assert weights[0].coefficient == weights[1].coefficient == PRIOR.coefficient
    assert weights[-1].coefficient == pytest.approx(2.0, abs=0.05)


def test_it_stays_within_its_bounds() -> None:
    for coefficient, bound in ((50.0, 5.0), (-3.0, 0.2)):
        fit = fit_impact(*fills(5000, coefficient, 7), PRIOR)
        assert (fit.coefficient, fit.bounded) == (bound, True)


def test_what_is_no_number_is_left_out() -> None:
    x, y = fills(50, 0.8, 9)
    spoilt = fit_impact(
        np.append(x, [np.nan, 0.01, 0.0, -1.0]), np.append(y, [0.0, np.inf, 0.0, 0.0]), PRIOR
    )
    assert spoilt == fit_impact(x, y, PRIOR)
    with pytest.raises(DataError, match="participations"):
        fit_impact(x, y[:-1], PRIOR)
    with pytest.raises(DataError, match="prior"):
        replace(PRIOR, coefficient=0.0)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(3, 40),
    factor=st.floats(0.1, 10),
)
def test_order_does_not_matter_and_scale_carries_over(seed: int, count: int, factor: float) -> None:
    x, y = fills(count, 1.0, seed, wild=0.1)
    fit = fit_impact(x, y, PRIOR)
    turned = fit_impact(x[::-1], y[::-1], PRIOR)
    scaled = fit_impact(x, factor * y, PRIOR)
    assert fit.raw is not None
    assert turned.raw == pytest.approx(fit.raw, rel=1e-6, abs=1e-9)
    assert scaled.raw == pytest.approx(factor * fit.raw, rel=1e-6, abs=1e-9)


async def test_the_simulated_exchanges_own_law_is_found_from_its_fills(tmp_path: Path) -> None:
    """It moves the price by Y·σ·√q with Y = 1, so on average two thirds of that are paid."""
    cost = SymbolCost(0.0005, 0.0005, 0.0, impact_scale=0.05 / 5e6**0.5)
    async with open_styles(tmp_path, ExecutionStyles()) as stage:
        refit = ImpactRefit(stage.journal, ImpactPrior(worth_fills=1.0), used=True)
        assert refit.impact(0.7) == 0.7
        for number, size in enumerate((4, 8, 12, 20, 30, 29, 28, 24)):
            stage.clock.advance_to(stage.clock.now_ms() + 1_000_000)
            held = stage.own.get((BTC, "BOTH"), Decimal(0))
            quotes = stage.street.all_quotes()
            trade = leg(BTC, held, -size * Decimal("0.001"), 60_000.0)
            plan = plan_of(trade, own=stage.own, cycle_id=f"c{number}", quotes=quotes)
            await stage.run(plan, f"c{number}", expected={BTC: cost})
            refit.update()
        fit = refit.fit
        assert fit is not None
        assert fit.raw == pytest.approx(2 / 3, rel=0.1), "its book has steps"
        assert refit.impact(0.7) == fit.coefficient
        told = stage.journal.events(kind="impact_refit")
        assert told[0].document["was"] is None
        assert told[-1].document["coefficient"] == pytest.approx(fit.coefficient, rel=0.06)
        again = ImpactRefit(stage.journal, ImpactPrior(worth_fills=1.0), used=False)
        again.update()
        assert again.fit == fit
        assert again.impact(0.7) == 0.7
        assert len(stage.journal.events(kind="impact_refit")) == len(told), "no news"


@pytest.mark.parametrize(("mode", "heeded"), [("propose", False), ("use", True)])
async def test_a_cycle_heeds_it_only_where_asked(tmp_path: Path, mode: str, heeded: bool) -> None:
    chosen = paper_settings(tmp_path)
    costs = chosen.costs.model_copy(update={"refit_impact": mode, "prior_worth_fills": 1.0})
    chosen = chosen.model_copy(update={"costs": costs})
    async with open_scene(tmp_path, settings=chosen) as scene:
        assert (await scene.cycle()).fills
        scene.advance(hours=5, longs={FET: "1000"})
        await scene.cycle()
        told = scene.journal.events(kind="impact_refit")
        assert told
        owned = scene.settings.hedge.impact
        impact = (await scene.engine.look()).choices.impact
        assert (impact != owned) is heeded
        if heeded:
            assert impact == pytest.approx(told[-1].document["coefficient"], rel=0.06)
