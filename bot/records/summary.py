"""Turns what a cycle saw and did into the records of its document. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from bot.journal.rows import OrderRow
from bot.measuring.assessment import Assessment
from bot.measuring.monitor import Observation
from bot.records.cycle import ExposureRecord, FillRecord, LegRecord, OrderRecord, ProposalRecord
from bot.records.reasons import reasons_of
from bot.records.windows import windows_record
from bot.trading.execution import PlaceResult
from bot.trading.orders import Fill, OrderState
from risk.book import FloatArray
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeFacts
from strategies.proposal import HedgeProposal

_ZERO = Decimal(0)


def usd(value: float) -> float:
    """A hundredth of a cent is exact enough for a record, and hides the noise of the last bit."""
    return round(float(value), 4)


def shares(values: Mapping[str, float]) -> dict[str, float]:
    """Fractions for a record."""
    return {key: round(float(value), 6) for key, value in values.items()}


def hedge_vector(
    facts: HedgeFacts, own: Mapping[tuple[str, str], Decimal], price_usd: Mapping[str, float]
) -> FloatArray:
    """Our hedges at these prices in the order of the facts, USD signed, shape (N,).

    Raises:
        DataError: a hedge in a symbol that the facts do not know: it came while they were in use.
    """
    total = dict.fromkeys(facts.symbols, 0.0)
    for (symbol, _), quantity in own.items():
        if quantity == 0:
            continue
        if symbol not in total:
            raise DataError(f"{symbol}: a hedge of {quantity} came up in the middle of the cycle")
        total[symbol] += float(quantity) * price_usd[symbol]
    return np.array([total[s] for s in facts.symbols])


def exposure_record(assessment: Assessment) -> ExposureRecord:
    """The book's exposure before the cycle's trades."""
    report = assessment.exposure
    ratio = report.diversification_ratio
    return ExposureRecord(
        net_usd=usd(report.net_usd),
        beta_net_usd=usd(report.beta_net_usd),
        diversification_ratio=None if ratio is None else round(ratio, 6),
        contributions_usd={
            symbol: usd(part)
            for symbol, x, part in zip(
                report.symbols, report.position_usd, report.component_daily_usd, strict=True
            )
            if x != 0
        },
        volatility_btc_daily=round(assessment.facts.volatility_btc_daily, 8),
    )


def crowding_record(assessment: Assessment) -> dict[str, float | None]:
    """Crowding score by symbol; None where it is not known."""
    return {
        token.symbol: None if token.crowding is None else round(token.crowding, 4)
        for token in assessment.crowding.tokens
    }


def funding_record(assessment: Assessment) -> dict[str, float | None]:
    """The last settled funding rate by symbol, as a simple yearly rate; None where not known."""
    return {
        token.symbol: None if token.funding_annual is None else round(token.funding_annual, 6)
        for token in assessment.crowding.tokens
    }


def marks_of_closed(look: Observation, lately: Collection[str]) -> dict[str, float]:
    """Prices, USD a coin, of what was held at the look before and no longer is."""
    held = set(look.book.symbols())
    gone = sorted(symbol for symbol in lately if symbol not in held)
    return {symbol: look.quotes[symbol].mark for symbol in gone if symbol in look.quotes}


def correlation_record(assessment: Assessment) -> dict[str, Any]:
    """Correlations in the order of the clustering, as a heatmap shows them."""
    estimate, clusters, facts = assessment.estimate, assessment.clusters, assessment.facts
    order = [int(i) for i in clusters.order]
    members: dict[int, list[str]] = {}
    for i in order:
        members.setdefault(int(clusters.labels[i]), []).append(estimate.symbols[i])
    matrix = estimate.correlation[np.ix_(order, order)]
    symbols = [estimate.symbols[i] for i in order]
    return {
        "symbols": symbols,
        "matrix": np.round(matrix, 4).tolist(),
        "clusters": list(members.values()),
        "held": [s for s, x in zip(facts.symbols, facts.bot_usd, strict=True) if x != 0],
        "windows": windows_record(assessment.view.returns_of(symbols)),
    }


def leg_records(
    facts: HedgeFacts, proposal: HedgeProposal | None, hedge_after_usd: FloatArray
) -> tuple[LegRecord, ...]:
    """Every symbol with a position of the bot or a hedge before, meant or after."""
    legs = {leg.symbol: leg for leg in proposal.legs} if proposal else {}
    records = []
    for i, symbol in enumerate(facts.symbols):
        leg = legs.get(symbol)
        before, after = float(facts.hedge_usd[i]), float(hedge_after_usd[i])
        if not (facts.bot_usd[i] or before or after or leg):
            continue
        records.append(
            LegRecord(
                symbol=symbol,
                bot_usd=usd(facts.bot_usd[i]),
                hedge_before_usd=usd(before),
                target_usd=usd(leg.target_usd if leg else before),
                trade_usd=usd(leg.trade_usd if leg else 0.0),
                hedge_after_usd=usd(after),
                mark_price=float(facts.price_usd[i]),
            )
        )
    return tuple(records)


def proposal_record(proposal: HedgeProposal) -> ProposalRecord:
    """What the strategy answered."""
    cost = proposal.cost
    return ProposalRecord(
        strategy=proposal.strategy,
        sentence=proposal.sentence,
        expected_volatility_daily_usd=usd(proposal.after.volatility_daily_usd),
        expected_cae_usd=usd(proposal.after.cae_usd),
        fee_usd=usd(cost.fee_usd),
        spread_usd=usd(cost.spread_usd),
        impact_usd=usd(cost.impact_usd),
        carry_usd_per_day=usd(cost.carry_usd_per_day),
        shadow_prices=shares(proposal.shadow_prices),
        slacks_usd={cap: usd(slack) for cap, slack in proposal.slacks_usd.items()},
        objective_relaxed=usd(proposal.objective_relaxed),
        objective_lots=usd(proposal.objective_lots),
        solver_status=proposal.solver_status,
        expected_cap_use=shares(proposal.after.cap_use),
        **reasons_of(proposal),
    )


def order_records(results: Iterable[PlaceResult]) -> tuple[OrderRecord, ...]:
    """Orders that were sent; what was denied or never sent is not an order of the cycle."""
    return tuple(
        OrderRecord(
            client_id=r.request.client_id,
            symbol=r.request.symbol,
            side=r.request.side.value,
            quantity=_amount(r.request.quantity),
            limit_price=_amount(r.request.limit_price),
            reduce_only=r.request.reduce_only,
            state=r.state.value,
            filled_quantity=_amount(r.filled_quantity),
            detail=r.detail,
        )
        for r in results
        if r.state is not OrderState.PLANNED
    )


def journaled_order_records(rows: Iterable[OrderRow]) -> tuple[OrderRecord, ...]:
    """The same from the journal, for a cycle that was cut short."""
    return tuple(
        OrderRecord(
            client_id=row.client_id,
            symbol=row.symbol,
            side=row.request.side.value,
            quantity=_amount(row.request.quantity),
            limit_price=_amount(row.request.limit_price),
            reduce_only=row.request.reduce_only,
            state=row.state.value,
            filled_quantity=_amount(row.filled_quantity),
            detail=f"{row.code} {row.reason}".strip(),
        )
        for row in rows
    )


def fill_records(fills: Sequence[Fill]) -> tuple[FillRecord, ...]:
    """Executions that were booked."""
    return tuple(
        FillRecord(
            client_id=f.client_id,
            trade_id=f.trade_id,
            symbol=f.symbol,
            side=f.side.value,
            quantity=_amount(f.quantity),
            price=_amount(f.price),
            fee_usd=None if f.fee_usd is None else _amount(f.fee_usd),
        )
        for f in fills
    )


def limits_record(limits: RiskLimits) -> dict[str, float | None]:
    """The caps in force, by name."""
    names = RiskLimits.__dataclass_fields__
    return {name: getattr(limits, name) for name in names}


def _amount(value: Decimal) -> str:
    """All digits, whatever the exponent: 18430, not 1.843E+4."""
    return format(value, "f")
