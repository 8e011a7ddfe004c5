"""Facts and choices are checked once, before any formula sees them."""

import math
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.errors import OptimizationError
from strategies.inputs import HedgeChoices, HedgeFacts

_ANY = ("bot_usd", "hedge_usd", "beta_btc", "funding_daily", "crowding")
_NOT_NEGATIVE = (
    "min_trade_usd",
    "half_spread",
    "taker_fee",
    "funding_daily_se",
    "initial_margin_rate",
)
_POSITIVE = ("price_usd", "lot_usd", "adv_usd")
_vectors = attrgetter(*_ANY, *_NOT_NEGATIVE, *_POSITIVE)
_KINDS = {
    "may_hedge": (np.bool_, "b"),
    "in_sector": (np.bool_, "b"),
    "cluster": (np.integer, "iu"),
    "token": (np.integer, "iu"),
}
_OPTIONAL_KINDS = ("token",)
_SYMMETRY = 1e-9
_BELOW_ONE = ("cushion", "tail_confidence")


def check_facts(facts: HedgeFacts) -> None:
    """Shapes, finite numbers, signs, and a symmetric covariance with positive variances.

    A covariance that is not positive definite is found later, by its Cholesky factor.

    Raises:
        OptimizationError: names the field, the symbol where there is one, and the value.
    """
    symbols = facts.symbols
    if not symbols:
        raise OptimizationError("symbols: there are none")
    if len(set(symbols)) != len(symbols):
        raise OptimizationError("symbols: one is listed twice")
    if not _all_sound(facts):
        _name_the_unsound(facts)
    for name, (kind, letters) in _KINDS.items():
        values = getattr(facts, name)
        if values is None and name in _OPTIONAL_KINDS:
            continue
        if values.shape != (len(symbols),) or values.dtype.kind not in letters:
            raise OptimizationError(
                f"{name}: shape {values.shape} of {values.dtype}, must be ({len(symbols)},) "
                f"of {kind.__name__}"
            )
    _check_scalars(facts)
    _check_covariance(facts)
    _check_optional(facts)


def check_choices(choices: HedgeChoices) -> None:
    """Every tuning number and cap is finite and at least 0, the two horizons above 0.

    Raises:
        OptimizationError: names the field and the value.
    """
    for name in (
        "risk_aversion",
        "impact",
        "estimation_uncertainty",
        "carry_risk",
        "carry_doubt",
        "crowding_charge",
        "beta_uncertainty",
        "cushion",
        "tail_aversion",
        "tail_confidence",
    ):
        _check_number(name, getattr(choices, name), above=False)
    for name in ("horizon_days", "holding_days"):
        _check_number(name, getattr(choices, name), above=True)
    if not 0 <= choices.carry_received <= 1:
        raise OptimizationError(
            f"carry_received: {choices.carry_received}, must be between 0 and 1"
        )
    for name in _BELOW_ONE:
        if getattr(choices, name) >= 1:
            raise OptimizationError(f"{name}: {getattr(choices, name)}, must be below 1")
    if choices.most_legs is not None and choices.most_legs < 0:
        raise OptimizationError(f"most_legs: {choices.most_legs}, must be at least 0")
    if choices.largest_hedge_usd is not None:
        _check_number("largest_hedge_usd", choices.largest_hedge_usd, above=False)
    for name in type(choices.limits).__dataclass_fields__:
        limit = getattr(choices.limits, name)
        if limit is not None:
            _check_number(f"limits.{name}", limit, above=False)


def _all_sound(facts: HedgeFacts) -> bool:
    """All vectors at once: one by one they are looked at only to name what is wrong."""
    vectors = _vectors(facts)
    try:
        table = np.array(vectors)
    except ValueError:  # of several shapes
        return False
    if table.shape != (len(vectors), len(facts.symbols)):
        return False
    signed = table[len(_ANY) :]
    return bool(
        np.isfinite(table).all() and signed.min() >= 0 and signed[len(_NOT_NEGATIVE) :].min() > 0
    )


def _name_the_unsound(facts: HedgeFacts) -> None:
    lowest = {
        **dict.fromkeys(_ANY, -np.inf),
        **dict.fromkeys(_NOT_NEGATIVE, 0.0),
        **dict.fromkeys(_POSITIVE, float(np.nextafter(0.0, 1.0))),
    }
    for name, least in lowest.items():
        _check_vector(name, getattr(facts, name), facts.symbols, lowest=least)


def _check_scalars(facts: HedgeFacts) -> None:
    _check_number("volatility_btc_daily", facts.volatility_btc_daily, above=True)
    _check_number("turnover_used_usd", facts.turnover_used_usd, above=False)
    _check_number("risk_equity_usd", facts.risk_equity_usd, above=bool(facts.bot_usd.any()))
    if not math.isfinite(facts.equity_usd):
        raise OptimizationError(f"equity_usd: {facts.equity_usd} is not a finite number")
    free_usd = facts.bot_free_margin_usd
    if free_usd is not None and not math.isfinite(free_usd):
        raise OptimizationError(f"bot_free_margin_usd: {free_usd} is not a finite number")


def _check_optional(facts: HedgeFacts) -> None:
    n = len(facts.symbols)
    if facts.beta_btc_se is not None:
        _check_vector("beta_btc_se", facts.beta_btc_se, facts.symbols, lowest=0.0)
    if facts.stress is not None:
        _check_vector("stress margin", facts.stress.margin_rate, facts.symbols, lowest=0.0)
        _check_table("stress returns", facts.stress.returns, (len(facts.stress.names), n))
    if facts.tail_returns is not None:
        _check_table("tail_returns", facts.tail_returns, (len(facts.tail_returns), n))
    if facts.covariance_windows_daily is not None:
        windows = facts.covariance_windows_daily
        _check_table("covariance_windows_daily", windows, (len(windows), n, n))


def _check_table(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise OptimizationError(f"{name}: shape {values.shape}, must be {shape}")
    if not np.isfinite(values).all():
        raise OptimizationError(f"{name}: holds a number that is not finite")


def _check_number(name: str, value: float, *, above: bool) -> None:
    if not math.isfinite(value) or value < 0 or (above and value == 0):
        wanted = "above 0" if above else "at least 0"
        raise OptimizationError(f"{name}: {value}, must be finite and {wanted}")


def _check_vector(
    name: str, values: NDArray[Any], symbols: tuple[str, ...], *, lowest: float
) -> None:
    if values.shape != (len(symbols),):
        raise OptimizationError(f"{name}: shape {values.shape}, must be ({len(symbols)},)")
    wrong = ~np.isfinite(values) | (values < lowest)
    if np.any(wrong):
        i = int(np.argmax(wrong))
        wanted = "finite"
        if lowest == 0:
            wanted += " and at least 0"
        elif lowest > 0:
            wanted += " and above 0"
        raise OptimizationError(f"{name}: {symbols[i]} has {values[i]}, must be {wanted}")


def _check_covariance(facts: HedgeFacts) -> None:
    covariance, n = facts.covariance_daily, len(facts.symbols)
    if covariance.shape != (n, n):
        raise OptimizationError(f"covariance_daily: shape {covariance.shape}, must be ({n}, {n})")
    if not np.isfinite(covariance).all():
        i, j = np.argwhere(~np.isfinite(covariance))[0]
        raise OptimizationError(
            f"covariance_daily: {facts.symbols[i]} with {facts.symbols[j]} has "
            f"{covariance[i, j]}, must be finite"
        )
    variance = covariance.diagonal()
    if variance.min() <= 0:
        i = int(np.argmin(variance))
        raise OptimizationError(
            f"covariance_daily: {facts.symbols[i]} has variance {variance[i]}, must be above 0"
        )
    if float(np.abs(covariance - covariance.T).max()) > _SYMMETRY * float(variance.max()):
        raise OptimizationError("covariance_daily: not symmetric")
