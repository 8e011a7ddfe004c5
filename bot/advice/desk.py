"""Answers bots that ask before they enter, from the last good book."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from bot.advice.grants import Grant, Grants, GrantsKept
from risk.errors import DataError
from strategies.entry_check import Advice, EntryBook, EntryRule, Verdict, check_entry

_TOO_MANY = "too many entries are still open"
WhenUnknown = Literal["refuse", "allow"]
FUTURE_MS = 5_000
"""A book may be so much younger than now; clocks of one machine differ by less."""


class Books(Protocol):
    """Where the last good book is read."""

    def read(self) -> EntryBook:
        """It.

        Raises:
            DataError: there is none, or it is damaged.
        """
        ...


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """What a bot wants to add.

    Attributes:
        bot: its name, as the source of its positions is called.
        symbol: ccxt's unified symbol.
        notional_usd: above 0.
        entry_id: of the same entry asked about again; empty: of this symbol and side.
        leverage: of the entry; None where it is not told.
    """

    bot: str
    symbol: str
    side: Literal["long", "short"]
    notional_usd: float
    entry_id: str = ""
    leverage: float | None = None

    @property
    def signed_usd(self) -> float:
        """Long positive."""
        return self.notional_usd if self.side == "long" else -self.notional_usd

    @property
    def key(self) -> tuple[str, str, str]:
        """Of its grant."""
        return self.bot, self.symbol, self.entry_id or self.side


@dataclass(frozen=True, slots=True)
class Policy:
    """How requests are answered.

    Attributes:
        rule: how an entry is judged.
        max_age_ms: an older book is stale.
        when_stale: what is said where there is no fresh book.
        when_unknown: what is said of a symbol that is not measured.
        grant_ms: how long an entry that was allowed counts before it shows in the book.
    """

    rule: EntryRule
    max_age_ms: int
    when_stale: WhenUnknown = "refuse"
    when_unknown: WhenUnknown = "refuse"
    grant_ms: int = 300_000


@dataclass(frozen=True, slots=True)
class EntryAnswer:
    """What is said to a request.

    Attributes:
        advice: figures and caps; None where the policy answered, for want of figures.
        book_ms: time of the book that was judged against; None where there was none.
        age_ms: of that book.
        granted_until_ms: what was allowed counts until then, or until the book shows it.
    """

    verdict: Verdict
    allowed_usd: float
    reason: str
    advice: Advice | None
    book_ms: int | None
    age_ms: int | None
    granted_until_ms: int | None


class EntryDesk:
    """Says what may be entered, and remembers what it allowed."""

    def __init__(
        self,
        books: Books,
        policy: Policy,
        now_ms: Callable[[], int],
        kept: GrantsKept | None = None,
    ) -> None:
        """``kept``: where what is allowed outlives this desk; None: nowhere."""
        self._books = books
        self._policy = policy
        self._now_ms = now_ms
        self._grants = Grants(policy.grant_ms, kept)

    def ask(self, request: EntryRequest) -> EntryAnswer:
        """Allowed, reduced or refused; the policy answers where there is nothing to judge by."""
        now_ms = self._now_ms()
        try:
            with self._grants.together(now_ms):
                return self._answer(request, now_ms)
        except (OSError, DataError) as error:
            # Whoever allows and cannot remember it would allow the same room again.
            why = error.strerror if isinstance(error, OSError) else str(error)
            return self._by_policy(request, f"grants cannot be kept: {why}", "refuse", None)

    def _answer(self, request: EntryRequest, now_ms: int) -> EntryAnswer:
        policy = self._policy
        try:
            book = self._books.read()
        except DataError as error:
            return self._by_policy(request, str(error), policy.when_stale, None)
        age_ms = now_ms - book.timestamp_ms
        if not -FUTURE_MS <= age_ms <= policy.max_age_ms:
            stale = (
                f"the book is {age_ms / 1000:.0f} s old, at most "
                f"{policy.max_age_ms / 1000:.0f} s is accepted"
            )
            return self._by_policy(request, stale, policy.when_stale, book)
        request = replace(request, symbol=self._called(book, request.bot, request.symbol))
        if request.symbol not in book.symbols:
            unknown = f"{request.symbol}: not measured, so its risk is not known"
            return self._by_policy(request, unknown, policy.when_unknown, book)
        if self._grants.full_for(request.key):
            return self._by_policy(request, _TOO_MANY, "refuse", book)
        pending = self._grants.pending_usd(book, long=request.side == "long", but=request.key)
        advice = check_entry(
            book,
            request.symbol,
            request.signed_usd,
            rule=policy.rule,
            pending_usd=pending,
            leverage=request.leverage,
        )
        until_ms = self._granted(request, advice.allowed_usd, book, now_ms)
        return EntryAnswer(
            advice.verdict,
            advice.allowed_usd,
            advice.reason,
            advice,
            book.timestamp_ms,
            age_ms,
            until_ms,
        )

    def take_back(self, bot: str, symbol: str, entry_id: str) -> bool:
        """The bot does not enter after all; False where nothing was allowed or cannot be kept."""
        names = {symbol}  # asked for before or after its own exchange's contract was measured
        with contextlib.suppress(DataError):
            names.add(self._called(self._books.read(), bot, symbol))
        with contextlib.suppress(OSError, DataError), self._grants.together(self._now_ms()):
            return sum(self._grants.take_back((bot, name, entry_id)) for name in names) > 0
        return False

    def book_ms(self) -> int:
        """Time of the last book, UTC milliseconds.

        Raises:
            DataError: there is none, or it is damaged.
        """
        return self._books.read().timestamp_ms

    @property
    def pending(self) -> int:
        """Entries that were allowed and count still."""
        return len(self._grants)

    @staticmethod
    def _called(book: EntryBook, bot: str, symbol: str) -> str:
        """The measured symbol for what this bot calls so; its own word where there is none."""
        return book.names.get((bot, symbol), symbol) or f"{symbol} of {bot}"

    def _granted(
        self, request: EntryRequest, allowed_usd: float, book: EntryBook | None, now_ms: int
    ) -> int | None:
        self._grants.take_back(request.key)
        if not allowed_usd:
            return None
        sign = 1 if request.side == "long" else -1
        index = None if book is None else book.index_of(request.bot, request.symbol)
        held, ahead_usd = None, 0.0
        if book is not None and index is not None:
            held = book.held_base(request.bot, index)
            ahead_usd = self._grants.ahead_usd(book, request.bot, index, long=sign > 0)
        until_ms = self._grants.until_ms(now_ms)
        bot, symbol, entry_id = request.key
        grant = Grant(bot, entry_id, symbol, sign * allowed_usd, until_ms, held, ahead_usd)
        self._grants.give(grant)
        return until_ms

    def _by_policy(
        self, request: EntryRequest, why: str, say: WhenUnknown, book: EntryBook | None
    ) -> EntryAnswer:
        allowed, now_ms = say == "allow", self._now_ms()
        if allowed and self._grants.full_for(request.key):
            allowed, why = False, _TOO_MANY
        until_ms = None
        if allowed:
            until_ms = self._granted(request, request.notional_usd, book, now_ms)
        return EntryAnswer(
            Verdict.ALLOWED if allowed else Verdict.REFUSED,
            request.notional_usd if allowed else 0.0,
            f"{'allowed' if allowed else 'refused'} by policy: {why}",
            None,
            None if book is None else book.timestamp_ms,
            None if book is None else now_ms - book.timestamp_ms,
            until_ms,
        )
