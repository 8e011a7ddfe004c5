"""Whether our books hold all that the exchange lists of the account's money. Pure.

Kinds that are not understood, funding that was never booked or booked otherwise, fees that are not
those of the trades, and what is taken when a position is liquidated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol, runtime_checkable

from bot.controls.facts import Denied
from bot.trading.ledger import FundingReceipt, OwnFill

INCOME_TYPES = frozenset(
    {
        "TRANSFER", "REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR",
        "DELIVERED_SETTELMENT", "WELCOME_BONUS", "REFERRAL_KICKBACK", "COMMISSION_REBATE",
        "API_REBATE", "CONTEST_REWARD", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER",
        "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "FEE_RETURN", "AUTO_EXCHANGE",
        "STRATEGY_UMFUTURES_TRANSFER", "POSITION_LIMIT_INCREASE_FEE", "FUTURES_PRESENT",
        "BFUSD_REWARD",
    }
)  # fmt: skip
"""Kinds of income that are understood, as Binance names them."""

_DOLLARS = frozenset({"USDT", "USDC"})


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet by the venue's own list.

    Attributes:
        symbol: unified symbol; empty where it is about none, or about one that is not listed.
        amount_usd: received positive, paid negative, as it was told.
        trade_id: empty where no trade caused it.
        asset: in which it is told, dollars or not.
    """

    income_id: str
    kind: str
    symbol: str
    amount_usd: str
    timestamp_ms: int
    trade_id: str = ""
    asset: str = "USDT"


@dataclass(frozen=True, slots=True)
class IncomePage:
    """A part of the list, oldest first.

    Attributes:
        next_ms: since when to read on, what is there again in the next part included; None: the
            list is at its end.
    """

    rows: Sequence[Income]
    next_ms: int | None = None


@runtime_checkable
class IncomeReader(Protocol):
    """A venue that lists every change of the wallet with its kind."""

    async def income_page(self, since_ms: int) -> IncomePage:
        """As many as one request tells, since then."""
        ...


class IncomeRead:
    """Reads the list since a time to its end, as many requests at a time as there is time for."""

    def __init__(self, since_ms: int) -> None:
        self._next_ms: int | None = since_ms
        self._found: dict[tuple[str, str, str], Income] = {}

    @property
    def whole(self) -> bool:
        """The end of the list was read."""
        return self._next_ms is None

    @property
    def rows(self) -> list[Income]:
        """What was read, each once, oldest first."""
        return sorted(self._found.values(), key=lambda one: one.timestamp_ms)

    async def read_on(self, reader: IncomeReader, pages: int) -> None:
        """So many requests more, or to the end; one that fails loses nothing of those before.

        Raises:
            UnreachableError, VenueError, DataError: the venue does not tell.
        """
        for _ in range(pages):
            if self._next_ms is None:
                return
            page = await reader.income_page(self._next_ms)
            self._found |= {(one.income_id, one.kind, one.trade_id): one for one in page.rows}
            self._next_ms = page.next_ms


async def whole_income(reader: IncomeReader, since_ms: int) -> list[Income]:
    """The list since then, oldest first.

    Raises:
        UnreachableError, VenueError, DataError: the venue does not tell it to its end.
    """
    read = IncomeRead(since_ms)
    while not read.whole:
        await read.read_on(reader, 1)
    return read.rows


@dataclass(frozen=True, slots=True)
class Booked:
    """What our books hold of an account.

    Attributes:
        receipts: funding, by its id behind the symbol.
        fees_usd: by symbol and trade id, of our own trades whose fee is known.
        symbols: those that we have traded; funding of others is not ours.
        funding_until_ms: funding up to then is read no more.
        funding_from_ms: of funding before it nothing is said.
    """

    receipts: Mapping[str, Decimal]
    fees_usd: Mapping[tuple[str, str], Decimal]
    symbols: frozenset[str]
    funding_until_ms: int
    funding_from_ms: int = 0

    @classmethod
    def of(
        cls,
        receipts: Iterable[FundingReceipt],
        fills: Iterable[OwnFill],
        symbols: Iterable[str],
        funding_until_ms: int,
        funding_from_ms: int = 0,
    ) -> "Booked":
        """From the journal's rows."""
        return cls(
            {one.receipt_id: one.amount_usd for one in receipts},
            {
                (one.fill.symbol, one.fill.trade_id): one.fill.fee_usd
                for one in fills
                if one.fill.fee_usd is not None
            },
            frozenset(symbols),
            funding_until_ms,
            funding_from_ms,
        )


def unsettled(rows: Iterable[Income], booked: Booked) -> dict[tuple[str, str], Denied]:
    """What somebody should know, the first of each by control and symbol (or kind)."""
    found: dict[tuple[str, str], Denied] = {}
    for row in rows:
        one = _unsettled(row, booked)
        if one is not None:
            about = row.kind if one.control == "unknown_income" else row.symbol
            found.setdefault((one.control, about), one)
    return found


def _unsettled(row: Income, booked: Booked) -> Denied | None:
    if row.kind not in INCOME_TYPES:
        text = f"income of unknown kind {row.kind}: {row.amount_usd} USD {row.symbol}".strip()
        return Denied("unknown_income", text)
    if row.kind == "INSURANCE_CLEAR":
        text = f"{row.symbol}: {row.amount_usd} {row.asset} to the insurance fund: a liquidation"
        return Denied("liquidation_fee", text)
    if row.kind == "FUNDING_FEE":
        return _funding(row, booked)
    if row.kind == "COMMISSION" and row.asset in _DOLLARS:
        fee_usd = booked.fees_usd.get((row.symbol, row.trade_id))
        if fee_usd is not None and -fee_usd != _amount(row):
            theirs = f"{row.amount_usd} in the exchange's"
            text = f"{row.symbol}: fee of trade {row.trade_id}: {-fee_usd} in our books, {theirs}"
            return Denied("fee_differs", text)
    return None


def _funding(row: Income, booked: Booked) -> Denied | None:
    if row.symbol not in booked.symbols:
        return None
    if not booked.funding_from_ms <= row.timestamp_ms <= booked.funding_until_ms:
        return None
    amount_usd = booked.receipts.get(f"{row.symbol}#{row.income_id}")
    if amount_usd == _amount(row):
        return None
    ours = "not in our books" if amount_usd is None else f"{amount_usd} in our books"
    text = f"{row.symbol}: funding of {row.amount_usd} {row.asset} is {ours}"
    return Denied("funding_incomplete", text)


def _amount(row: Income) -> Decimal | None:
    try:
        return Decimal(row.amount_usd)
    except InvalidOperation:
        return None
