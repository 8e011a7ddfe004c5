"""I13, I14: once all is well again the engine is inside its band, or has stopped and said so."""

import json
from collections.abc import Iterator

from bot.faults.oracle.evidence import Evidence

_BY_HAND = ("kill_switch", "latched")


def inside_or_halted(evidence: Evidence) -> Iterator[str]:
    """I13."""
    if evidence.paper and evidence.exchange.delivered:
        return  # a paper account is not settled when what it holds is delisted: it stays held
    if evidence.ended not in ("ready", "halted"):
        yield (
            f"the engine is {evidence.ended}, all positions are worth "
            f"{evidence.exchange.net_usd:.0f} USD and the band is {evidence.band_usd:.0f} USD"
        )


def halt_is_told(evidence: Evidence) -> Iterator[str]:
    """I13: what a control has halted somebody was told of, unless he resumed it before."""
    waiting: dict[str, str] = {}
    for row in evidence.journal.get("events", ()):
        if row["kind"] == "resumed":
            waiting.clear()
        elif row["kind"] in ("halted", "symbol_halted"):
            control = json.loads(row["document"])["control"]
            if control not in _BY_HAND:
                waiting[control] = json.loads(row["document"])["reason"]
    told = {control for _, control in evidence.alerts}
    for control, reason in waiting.items():
        if control not in told:
            yield f"{control} has halted and nobody was told: {reason}"


def paper_changes_nothing(evidence: Evidence) -> Iterator[str]:
    """I14: on paper no call that changes something comes to the real exchange."""
    if not evidence.paper:
        return
    for arrival in evidence.exchange.arrivals:
        yield f"{arrival.request.client_id} came to the real exchange from an engine on paper"
    for client_id in evidence.exchange.cancelled:
        yield f"a cancel of {client_id} came to the real exchange from an engine on paper"


def no_defect(evidence: Evidence) -> Iterator[str]:
    """No fault of the world is met by a defect of the engine's own."""
    seen = set()
    for row in evidence.journal.get("events", ()):
        if row["kind"] == "defect":
            reason = json.loads(row["document"])["reason"]
            if reason not in seen:
                seen.add(reason)
                yield reason


def one_engine(evidence: Evidence) -> Iterator[str]:
    """A second engine never gets hold of the state directory."""
    if evidence.second_started:
        yield "a second engine started on the same state directory"
