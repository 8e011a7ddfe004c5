"""Reads the world and measures it; nothing is changed by it."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from bot.measuring.assessment import assess
from bot.measuring.estimation import DAY_MS
from bot.measuring.past import Past
from bot.outlook.tightening import tightened
from bot.records.ending import Look
from bot.steps.aftermath import resting
from bot.steps.parts import EngineParts, Policy
from risk.errors import DataError
from strategies.state import risk_state


async def look_at(
    parts: EngineParts, policy: Policy, past: Past, lately: Collection[str] = ()
) -> Look:
    """Everything that a decision rests on.

    Args:
        lately: what was held at the look before, whose price is wanted once more.

    Raises:
        DataError, EstimationError: something is missing, stale or contradictory.
        UnreachableError, VenueError: something does not answer.
    """
    universe = policy.universe(await parts.monitor.instruments())
    if not universe.benchmarks:
        raise DataError("the venue lists none of universe.benchmarks, and BTC is needed")
    # Before the prices, which must not be old by the time they are used.
    outside = await parts.outlook.outside(universe, parts.clock.now_ms())
    observation = await parts.monitor.observe({*universe.symbols, *lately})
    wanted = {*universe.symbols, *observation.book.symbols()}
    homes = observation.translation.homes
    view = await parts.model.refresh(wanted, parts.clock.now_ms(), homes)
    account = observation.account.state
    used = parts.journal.turnover_usd(parts.clock.now_ms() - DAY_MS, account.name)
    closes = parts.journal.external_closes(account.name)
    screen = replace(
        policy.screen(universe), resting=resting(policy.aftermath, closes, parts.clock.now_ms())
    )
    assessment = assess(observation, view, universe, screen, turnover_used_usd=float(used))
    facts = past.added(assessment.facts, view)
    assessment = replace(assessment, facts=facts)
    signals = parts.outlook.signals(view, universe, observation.book)
    choices = policy.choices(account.equity_usd)
    if parts.refit is not None:
        choices = replace(choices, impact=parts.refit.impact(choices.impact))
    choices = replace(choices, limits=tightened(choices.limits, outside.factor))
    return Look(
        observation,
        assessment,
        choices,
        unhedged=risk_state(facts, choices, np.zeros(len(facts.symbols))),
        before=risk_state(facts, choices, facts.hedge_usd),
        signals=(*outside.signals, *signals),
        outside=outside,
        signals_unknown=parts.outlook.board.unknown,
    )
