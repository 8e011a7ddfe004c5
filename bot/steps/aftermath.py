"""What follows when others, the exchange for instance, closed a part of a hedge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.controls.guard import Guard
from bot.measuring.hedge_account import ClosedHedge
from bot.records.cycle import iso_utc
from bot.trading.ledger import ExternalClose
from bot.trading.venue_closes import CloseKind

_CONTROL = "closed_by_others"
_ONE_CLOSE_MS = 10_000  # trades so close together are of one close


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The owner's policy.

    Attributes:
        adl_pause_ms: no hedge grows in a symbol for so long after auto-deleveraging, and after
            others closed it twice within that time.
        liquidation_pause_ms: nor for so long after a liquidation.
        liquidation_halts: a liquidation halts its symbol until somebody resumes.
    """

    adl_pause_ms: int = 0
    liquidation_pause_ms: int = 0
    liquidation_halts: bool = False


def answer(closed: Sequence[ClosedHedge], guard: Guard, policy: Aftermath) -> None:
    """Tells people, and halts the symbol where the policy says so."""
    for one in closed:
        symbol, kind = one.change.symbol, one.kind
        amount = abs(one.change.quantity_change)
        text = f"{symbol}: {amount} of our hedge of {abs(one.change.own_quantity)} {kind.words}"
        if kind is CloseKind.LIQUIDATION and policy.liquidation_halts:
            guard.halt_symbol(_CONTROL, symbol, text)
        guard.alert(_CONTROL, symbol, text)


def resting(policy: Aftermath, closes: Iterable[ExternalClose], now_ms: int) -> dict[str, str]:
    """Symbols in which no hedge may grow for a while, with the reason."""
    closes = tuple(closes)
    pause_ms = {
        CloseKind.ADL.value: policy.adl_pause_ms,
        CloseKind.LIQUIDATION.value: policy.liquidation_pause_ms,
    }
    until: dict[str, tuple[int, str]] = {}
    for close in closes:
        end_ms = close.timestamp_ms + pause_ms.get(close.kind, 0)
        if end_ms > max(now_ms, until.get(close.symbol, (0, ""))[0]):
            until[close.symbol] = end_ms, CloseKind(close.kind).words
    for symbol, last_ms in _closed_again(closes, policy.adl_pause_ms).items():
        end_ms = last_ms + policy.adl_pause_ms
        if end_ms > max(now_ms, until.get(symbol, (0, ""))[0]):
            until[symbol] = end_ms, f"{CloseKind.OTHERS.words} time and again"
    return {
        symbol: f"{words}: no hedge grows there until {iso_utc(end_ms)}"
        for symbol, (end_ms, words) in until.items()
    }


def _closed_again(closes: Iterable[ExternalClose], within_ms: int) -> dict[str, int]:
    """Symbols that others closed once more within that time, and when they last did.

    Whoever they are, a hand or an exchange that does not tell of its deleveraging, it would go on
    for as long as the hedge is opened anew.
    """
    last: dict[str, int] = {}
    again: dict[str, int] = {}
    for close in sorted(closes, key=lambda one: one.timestamp_ms):
        if close.kind != CloseKind.OTHERS.value:
            continue
        since_ms = close.timestamp_ms - last.get(close.symbol, close.timestamp_ms)
        if _ONE_CLOSE_MS < since_ms <= within_ms:
            again[close.symbol] = close.timestamp_ms
        last[close.symbol] = close.timestamp_ms
    return again
