"""What a cycle considered: candidates, the proposal and what it was better than. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bot.report import words
from bot.report.reasons import alternative_rows, reason_facts

Document = Mapping[str, Any]


def weighed_lines(cycle: Document) -> list[str]:
    """Who was left out, what was proposed, and why not something else."""
    return [*_excluded(cycle), *_proposal(cycle)]


def _excluded(cycle: Document) -> list[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for symbol, reason in (cycle.get("excluded") or {}).items():
        by_reason[words.plain(reason)].append(words.base(str(symbol)))
    told = [f"{', '.join(sorted(names))} ({why})" for why, names in sorted(by_reason.items())]
    return [f"No hedge could be opened in {'; '.join(told)}."] if told else []


def _proposal(cycle: Document) -> list[str]:
    proposal = cycle.get("proposal")
    if not proposal:
        return ["It came to no proposal."]
    sentence = words.plain(proposal.get("sentence") or "")
    told = "what is said above" if sentence and sentence in str(cycle.get("reason")) else sentence
    return [
        f"Strategy {words.plain(proposal.get('strategy'))} proposed: {told.rstrip('.')}.",
        _expected_cost(proposal),
        *(
            f"Instead, {one.name}: {one.volatility} a day for {one.cost} of cost; {one.reason}."
            for one in alternative_rows(proposal)
        ),
        *(f"{name}: {figure}." for name, figure in reason_facts(proposal)),
    ]


def _expected_cost(proposal: Document) -> str:
    fee, spread, impact, carry = (
        words.number(proposal.get(key))
        for key in ("fee_usd", "spread_usd", "impact_usd", "carry_usd_per_day")
    )
    parts = [one for one in (fee, spread, impact) if one is not None]
    line = f"Expected cost {words.money(sum(parts) if len(parts) == 3 else None)}"
    if carry is None or carry == 0:
        return f"{line}."
    return f"{line}, funding {words.money(abs(carry))} a day {'paid' if carry > 0 else 'received'}."
