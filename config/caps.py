"""Caps: what the owner of the account never wants to exceed (section ``caps``)."""

import math

from pydantic import Field

from config.fields import (
    GrossCap,
    ShareCap,
    Strict,
    TurnoverCap,
    UsdCap,
    VolumeShareCap,
)
from risk.errors import DataError
from risk.limits.caps import RiskLimits


class Caps(Strict):
    """Exposure caps. ``null`` means no such cap.

    Bot and hedges count together, except where the text says hedges only.
    """

    token_usd: UsdCap = Field(
        default=None, description="Largest position in any one token, either side."
    )
    net_usd: UsdCap = Field(default=None, description="Largest net position over everything held.")
    sector_net_usd: UsdCap = Field(
        default=None,
        description="Largest net position over the sector's tokens, benchmarks left out.",
    )
    cluster_net_usd: UsdCap = Field(
        default=None, description="Largest net position within one cluster of correlated tokens."
    )
    cluster_gross_usd: UsdCap = Field(
        default=None, description="Largest gross position of hedges only within one cluster."
    )
    beta_net_usd: UsdCap = Field(
        default=None, description="Largest net position weighted by beta to BTC, in USD of BTC."
    )
    cae_usd: UsdCap = Field(
        default=None,
        description="Largest correlation-adjusted exposure: the BTC position that would swing "
        "as much as the whole book.",
    )
    hedge_gross_equity_fraction: GrossCap = Field(
        default=1.0, description="Largest gross of hedges only, in equities of the hedge account."
    )
    turnover_daily_equity_fraction: TurnoverCap = Field(
        default=3.0,
        description="Most that is traded in any 24 hours, in equities of the hedge account.",
    )
    adv_share: VolumeShareCap = Field(
        default=0.01,
        description="Largest trade of one decision in a symbol, as a share of its average daily "
        "volume.",
    )
    margin_use: ShareCap = Field(
        default=0.5, description="Largest initial margin of hedges only, as a share of equity."
    )
    bot_margin_share: ShareCap = Field(
        default=None,
        description="Largest initial margin of hedges only, as a share of the bot's free margin "
        "(what the hedges take of it counted in), where they share the bot's account.",
    )
    stress_use: ShareCap = Field(
        default=None,
        description="Largest share of the hedge account's equity that the loss of any stress and "
        "the margin needed after it may take; the rest is the buffer before liquidation.",
    )

    def limits(self, equity_usd: float) -> RiskLimits:
        """The caps in USD for an account of this equity; a cap that is null stays None.

        Raises:
            DataError: ``equity_usd`` is not finite or not above 0, so that fractions of it mean
                nothing.
        """
        if not (math.isfinite(equity_usd) and equity_usd > 0):
            raise DataError(
                f"hedge account: equity of {equity_usd} USD, must be above 0 for the caps that "
                "are fractions of it"
            )
        return RiskLimits(
            token_usd=self.token_usd,
            hedge_gross_usd=_of(self.hedge_gross_equity_fraction, equity_usd),
            net_usd=self.net_usd,
            sector_net_usd=self.sector_net_usd,
            cluster_net_usd=self.cluster_net_usd,
            cluster_gross_usd=self.cluster_gross_usd,
            beta_net_usd=self.beta_net_usd,
            cae_usd=self.cae_usd,
            turnover_daily_usd=_of(self.turnover_daily_equity_fraction, equity_usd),
            adv_share=self.adv_share,
            margin_use=self.margin_use,
            bot_margin_share=self.bot_margin_share,
            stress_use=self.stress_use,
        )


def _of(fraction: float | None, equity_usd: float) -> float | None:
    return None if fraction is None else fraction * equity_usd
