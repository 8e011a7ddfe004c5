"""The demo's trading bot: piles up longs in one sector, each sized alone.

It trades from its own account through ccxt and knows nothing of the engine. A seed picks its
tokens and weights. Over the first cycles it buys its way in, then it keeps each position at its
target notional, up or down, as a volatility-blind bot does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_STREAM = 0xB07  # keeps the bot's draws apart from the market's for the same seed
_BAND = 0.02  # positions within 2 % of their target are left alone
_MIN_ORDER_USD = 25.0


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the bot wants: USD notional by symbol, reached after ``ramp_cycles`` cycles."""

    targets_usd: Mapping[str, float]
    ramp_cycles: int

    def target_usd(self, symbol: str, cycle: int) -> float:
        """Notional wanted in cycle 0, 1, 2, … ."""
        share = min(1.0, (cycle + 1) / self.ramp_cycles)
        return self.targets_usd[symbol] * share


def draw_plan(
    candidates: Sequence[str], *, seed: int, gross_usd: float, tokens: int, ramp_cycles: int
) -> DemoPlan:
    """A seeded choice of tokens with Dirichlet weights that no single token dominates.

    Args:
        candidates: symbols to choose from, in a fixed order.
        gross_usd: sum of all targets.
        tokens: how many to hold, at most all of ``candidates``.
        ramp_cycles: cycles until the targets are reached, at least 1.
    """
    rng = np.random.default_rng([_STREAM, seed])
    count = min(tokens, len(candidates))
    chosen = sorted(rng.choice(np.asarray(candidates, dtype=object), size=count, replace=False))
    weights = rng.dirichlet(np.full(count, 25.0))
    targets = {symbol: float(gross_usd * w) for symbol, w in zip(chosen, weights, strict=True)}
    return DemoPlan(targets, max(1, ramp_cycles))


class DemoBot:
    """Carries a plan out with market orders through a ccxt client of its own."""

    def __init__(self, client: Any, plan: DemoPlan) -> None:
        self._client = client
        self._plan = plan
        self._cycle = 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it trades."""
        return tuple(self._plan.targets_usd)

    async def step(self) -> int:
        """One round of trading; returns how many orders it sent."""
        if not self._client.markets:
            await self._client.load_markets()
        held = {
            row["symbol"]: row["contracts"] * (1 if row["side"] == "long" else -1)
            for row in await self._client.fetch_positions()
        }
        prices = await self._client.fetch_tickers(list(self.symbols))
        sent = 0
        for symbol in self.symbols:
            sent += await self._towards_target(
                symbol, held.get(symbol, 0.0), prices[symbol]["last"]
            )
        self._cycle += 1
        return sent

    async def _towards_target(self, symbol: str, held_base: float, price: float) -> int:
        target_usd = self._plan.target_usd(symbol, self._cycle)
        missing_usd = target_usd - held_base * price
        if abs(missing_usd) < max(_MIN_ORDER_USD, _BAND * target_usd):
            return 0
        amount = float(self._client.amount_to_precision(symbol, abs(missing_usd) / price))
        side = "buy" if missing_usd > 0 else "sell"
        await self._client.create_order(
            symbol, "market", side, amount, params={"reduceOnly": True} if side == "sell" else {}
        )
        return 1
