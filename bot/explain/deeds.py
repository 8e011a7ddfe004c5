"""What a cycle ordered, what was refused, and what it paid. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bot.controls.table import TABLE
from bot.report import words

Document = Mapping[str, Any]

_SAYS = {control.number: control.says for control in TABLE}
_NOTHING = {
    "proposed": "Nothing was sent: it only writes proposals down.",
    "no_hedge": "Nothing was sent: nothing had to be done.",
    "held": "Nothing was sent: it held still.",
    "denied": "Nothing was sent: its controls refused.",
    "halted": "Nothing was sent: trading is halted.",
}
_DENIALS = ("order_denied", "plan_denied")


def deed_lines(cycle: Document, events: Sequence[Document]) -> list[str]:
    """A sentence for each order and each refusal."""
    refused = _refusals([one for one in events if one.get("event") in _DENIALS])
    ordered = [_order(one, cycle.get("fills") or ()) for one in cycle.get("orders") or ()]
    if ordered:
        return [*_permission(events), *ordered, *refused]
    reason = words.plain(cycle.get("reason") or "").rstrip(".")
    nothing = _NOTHING.get(str(cycle.get("status")), "Nothing was sent.")
    if cycle.get("status") == "proposed":
        sentence = (cycle.get("proposal") or {}).get("sentence")
        if cycle.get("reason") == sentence:
            return [nothing]
        return ["Nothing was sent: it waits for people.", f"{_capital(reason)}."]
    return [nothing, *(refused or ([f"Because: {reason}."] if reason else []))]


def _permission(events: Sequence[Document]) -> list[str]:
    """Who approved what was sent, where somebody had to."""
    return [
        f"Proposal {words.plain(one.get('proposal_id'))} was carried out, as "
        f"{words.plain(one.get('by'))} had approved it ({words.plain(one.get('reason'))})."
        for one in events
        if one.get("event") == "proposal_executing"
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _order(order: Document, fills: Sequence[Document]) -> str:
    side, base = words.plain(order.get("side")), words.base(str(order.get("symbol")))
    closing = ", only to close" if order.get("reduce_only") else ""
    text = (
        f"Order to {side} {_digits(order.get('quantity'))} {base}, limit "
        f"{_digits(order.get('limit_price'))}{closing}: {words.plain(order.get('state'))}"
    )
    filled = words.exact(order.get("filled_quantity"))
    if filled:
        text += f", {_digits(str(filled))} filled{_at(order, fills)}"
    detail = words.plain(order.get("detail") or "")
    return f"{text} ({detail})." if detail else f"{text}."


def _at(order: Document, fills: Sequence[Document]) -> str:
    """`` at 1.7312`` on average, where the executions are known."""
    of_order = [
        (quantity, price)
        for one in fills
        if one.get("client_id") == order.get("client_id")
        and (quantity := words.exact(one.get("quantity"))) is not None
        and (price := words.exact(one.get("price"))) is not None
    ]
    total = sum(quantity for quantity, _ in of_order)
    if not total:
        return ""
    return f" at {words.price(float(sum(q * p for q, p in of_order) / total))}"


def _digits(text: object) -> str:
    """Decimal text without needless zeros."""
    value = words.exact(text)
    if value is None:
        return words.plain(text)
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _refusals(events: Sequence[Document]) -> list[str]:
    """Orders of one symbol that were refused for one reason are one line; a rule is told once."""
    counted = Counter(_refusal(event) for event in events)
    rules: set[object] = set()
    lines = []
    for event in events:
        line, number = _refusal(event), event.get("number")
        times = counted.pop(line, 0)
        if not times:
            continue
        says = _SAYS.get(number) if isinstance(number, int) and number not in rules else None
        rules.add(number)
        many = f" ({times} orders)" if times > 1 else ""
        lines.append(f"{line}{many}." + (f" Its rule: {says}" if says else ""))
    return lines


def _refusal(event: Document) -> str:
    number, reason = event.get("number"), words.plain(event.get("reason") or "")
    what = "the plan"
    if event.get("symbol"):
        symbol = str(event["symbol"])
        what = f"{words.plain(event.get('side'))} {words.base(symbol)}"
        reason = reason.removeprefix(f"{words.plain(symbol)}: ")
    name = words.plain(event.get("control"))
    return f"Control {words.plain(number)} ({name}) refused {what}: {reason}"


def cost_lines(cycle: Document, later: Sequence[Document]) -> list[str]:
    """Expected against realised, in all and where it differs most; nothing without fills."""
    costs = [*(cycle.get("costs") or ()), *later]
    if not costs:
        return []
    notional, realised, expected = (
        _sum(costs, key) for key in ("notional_usd", "realised_usd", "expected_usd")
    )
    lines = [
        f"{words.usd(notional)} were traded for {words.money(realised)} "
        f"({_bp(realised, notional)}); {words.money(expected)} ({_bp(expected, notional)}) "
        "were expected."
    ]
    fee, spread, impact, drift = (
        _sum(costs, key) for key in ("fee_usd", "spread_usd", "impact_usd", "drift_usd")
    )
    lines.append(
        f"Of it fees {words.money(fee)}, spread {words.money(spread)}, impact "
        f"{words.money(impact)}, price moves until the orders left {words.money(drift)}."
    )
    lines += _furthest(costs)
    return lines


def _furthest(costs: Sequence[Document]) -> list[str]:
    """The order that cost most beyond what was expected."""
    beyond = [
        (realised - expected, one)
        for one in costs
        if (realised := words.number(one.get("realised_usd"))) is not None
        and (expected := words.number(one.get("expected_usd"))) is not None
    ]
    if len(beyond) < 2:
        return []
    most, one = max(beyond, key=lambda pair: pair[0])
    if most <= 0:
        return ["No order cost more than expected."]
    return [f"{words.base(str(one.get('symbol')))} cost {words.money(most)} more than expected."]


def _sum(costs: Sequence[Document], key: str) -> float | None:
    """None where one of them is not known: a part is not the whole."""
    found = [words.number(one.get(key)) for one in costs]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


def _bp(cost_usd: float | None, notional_usd: float | None) -> str:
    if cost_usd is None or not notional_usd:
        return f"{words.ABSENT} bp"
    return f"{1e4 * cost_usd / notional_usd:.1f} bp"
