"""How much of the bot's free margin the hedges take: some where they share its account. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.measuring.monitor import Observation
from bot.ports import SourceAccount
from risk.book import Owner

UNKNOWN_MARGIN_RATE = 1.0  # without a leverage from the venue the whole notional counts as margin


@dataclass(frozen=True, slots=True)
class BotMargin:
    """Initial margin of one look, USD.

    Attributes:
        shared: the hedges stand in the bot's own account.
        hedges_usd: what the hedges take of the bot's free margin; 0 in an account of their own.
        free_usd: what the bot would have free without them; None in an account of their own.
        told: the money of bots whose source tells it, by source.
    """

    shared: bool
    hedges_usd: float
    free_usd: float | None
    told: Mapping[str, SourceAccount]

    @property
    def share(self) -> float | None:
        """Of the free margin, what the hedges take; None where they take some and none is free."""
        if not self.hedges_usd:
            return 0.0
        return self.hedges_usd / self.free_usd if self.free_usd and self.free_usd > 0 else None

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "shared_account": self.shared,
            "hedges_usd": round(self.hedges_usd, 2),
            "free_without_hedges_usd": None if self.free_usd is None else round(self.free_usd, 2),
            "share": None if self.share is None else round(self.share, 6),
            "bots": {
                name: {
                    "timestamp_ms": money.timestamp_ms,
                    "equity_usd": money.equity_usd,
                    "free_usd": money.free_usd,
                    "used_margin_usd": money.used_margin_usd,
                }
                for name, money in sorted(self.told.items())
            },
        }


def bot_margin(observation: Observation) -> BotMargin:
    """Of one look: what the venue says is available, and what the hedges need at its leverage."""
    told = dict(observation.bot_accounts)
    if not observation.shared_account:
        return BotMargin(shared=False, hedges_usd=0.0, free_usd=None, told=told)
    rate = observation.account.margin_rate
    hedges_usd = sum(
        abs(one.notional_usd) * rate.get(one.symbol, UNKNOWN_MARGIN_RATE)
        for one in observation.book.of(Owner.HEDGE)
    )
    free_usd = observation.account.state.available_usd + hedges_usd
    return BotMargin(shared=True, hedges_usd=hedges_usd, free_usd=free_usd, told=told)
