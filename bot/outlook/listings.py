"""Tokens of the sector that the venue begins or ceases to list, remembered over restarts."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace

from bot.measuring.universe import base_of
from risk.errors import DataError
from risk.signals.activity import listing_signals
from risk.signals.episodes import Severity, Signal, SignalKind

NOTHING_BEFORE = "no earlier list of markets to compare with"


class ListingNews:
    """The last list of markets, and what was new in it lately."""

    def __init__(self, shown_ms: int) -> None:
        """Nothing known yet; news are shown for ``shown_ms``."""
        self._shown_ms = shown_ms
        self._listed: frozenset[str] = frozenset()
        self._bases: frozenset[str] = frozenset()
        self._news: dict[str, Signal] = {}
        self._first_ms: int | None = None
        self.silence = NOTHING_BEFORE

    def take(self, sector: Collection[str], unlisted: Collection[str], now_ms: int) -> None:
        """What the venue lists of the sector now, compared with what it listed before.

        A token that the owner has added to the sector, or taken out, since is no news.

        Args:
            sector: unified symbols.
            unlisted: tokens of the sector that the venue does not list.

        Raises:
            DataError: it lists nothing, and did before.
        """
        now, before = frozenset(sector), self._listed
        bases = frozenset({*map(base_of, now), *unlisted})
        if before:
            both = bases & self._bases
            news = listing_signals(_of(before, both), _of(now, both), now_ms)
            self._news |= {signal.symbols[0]: signal for signal in news}
            if self._first_ms is None or now_ms > self._first_ms:
                self.silence = ""
        else:
            self._first_ms = now_ms  # a second look at the same moment knows no more
        self._listed, self._bases = now, bases
        self._news = {
            symbol: signal
            for symbol, signal in self._news.items()
            if 0 <= now_ms - signal.since_ms < self._shown_ms
        }

    def signals(self, held: Collection[str]) -> Iterable[Signal]:
        """News to the holder of these; the delisting of what is held is an alarm."""
        for signal in self._news.values():
            if signal.kind is SignalKind.DELISTING and signal.symbols[0] in held:
                words = signal.sentence.removesuffix(".") + " and the book holds it."
                yield replace(signal, severity=Severity.ALARM, sentence=words)
            else:
                yield signal

    def text(self) -> str:
        """All that is known, for ``restore``."""
        news = [
            {"symbol": symbol, "kind": one.kind.value, "since_ms": one.since_ms}
            for symbol, one in self._news.items()
        ]
        known = {"listed": sorted(self._listed), "bases": sorted(self._bases), "news": news}
        return json.dumps(known, sort_keys=True)

    def restore(self, text: str) -> None:
        """Know what another run knew.

        Raises:
            DataError: this is not what ``text`` writes.
        """
        try:
            known = json.loads(text)
            listed, bases = frozenset(known["listed"]), frozenset(known["bases"])
            news = {}
            for one in known["news"]:
                symbol, nothing = str(one["symbol"]), frozenset({""})
                before, now = nothing | {symbol}, nothing
                if SignalKind(one["kind"]) is not SignalKind.DELISTING:
                    before, now = now, before
                (news[symbol],) = listing_signals(before, now, int(one["since_ms"]))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"the remembered list of markets cannot be read ({type(error).__name__})"
            raise DataError(reason) from None
        self._listed, self._bases, self._news = listed, bases, news


def _of(symbols: Collection[str], bases: Collection[str]) -> frozenset[str]:
    return frozenset(symbol for symbol in symbols if base_of(symbol) in bases)
