"""The last proposal of a report as names and figures."""

from collections.abc import Sequence
from typing import Any

from bot.report import words
from bot.report.history import Document, latest
from bot.report.reasons import reason_facts


def proposal_facts(documents: Sequence[Document]) -> list[tuple[str, str]]:
    """The last proposal as name and figure; empty when there was none."""
    document = latest(documents, "proposal")
    if document is None:
        return []
    proposal = document["proposal"]

    def figure(key: str) -> float | None:
        return words.number(proposal.get(key))

    carry = figure("carry_usd_per_day")
    facts = [
        ("Strategy", words.plain(proposal.get("strategy", ""))),
        ("Decided", f"{words.clock_text(document)} UTC"),
        ("Expected volatility, daily", words.usd(figure("expected_volatility_daily_usd"))),
        ("Expected correlation-adjusted exposure", words.usd(figure("expected_cae_usd"))),
        ("Fee, spread, impact", _trade_cost(figure)),
        ("Funding", carry_words(carry)),
        ("Solver", words.plain(proposal.get("solver_status", ""))),
    ]
    prices = proposal.get("shadow_prices") or {}
    for cap, price in sorted(prices.items()):
        worth = words.number(price)
        if worth:
            facts.append(
                (f"Worth of one more USD of {words.cap_label(cap)}", words.amount(worth) + " USD")
            )
    for cap, slack in sorted((proposal.get("slacks_usd") or {}).items()):
        facts.append((f"Relaxed: {words.cap_label(cap)}", words.usd(words.number(slack))))
    return [*facts, *reason_facts(proposal)]


def _trade_cost(figure: Any) -> str:
    parts = [figure(key) for key in ("fee_usd", "spread_usd", "impact_usd")]
    if any(part is None for part in parts):
        return " + ".join(words.money(part) for part in parts)
    told = " + ".join(words.money(part).removesuffix(" USD") for part in parts)
    return f"{told} = {words.money(sum(parts))}"


def carry_words(carry_usd_per_day: float | None) -> str:
    """Who pays the funding, in words."""
    if carry_usd_per_day is None:
        return words.ABSENT
    verb = "paid" if carry_usd_per_day > 0 else "received"
    return f"{words.money(abs(carry_usd_per_day))} {verb} a day"
