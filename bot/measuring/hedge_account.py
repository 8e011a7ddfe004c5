"""Reads the hedge account and tells our hedges from everybody else's positions.

In the hedge account the journal's quantity is ours and the rest is somebody's. What others change
is believed once two reads agree, or once the account's list of trades tells how it came about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.journal.journal import Journal
from bot.measuring.agreement import Agreed, Agreement, AgreementRule, Marks, Told
from bot.measuring.belief import Quantities
from bot.measuring.doubts import Doubts
from bot.measuring.lagging import PositionLag
from bot.ports import Clock, Venue, VenueAccount
from bot.trading.attribution import Attribution, HedgeClosedExternally, attribute
from bot.trading.forced_closes import find_trades
from bot.trading.reconcile import book_fills
from bot.trading.venue_closes import CloseKind, VenueTrade, kind_of
from risk.errors import DataError


@dataclass(frozen=True, slots=True)
class ClosedHedge:
    """A part of a hedge that somebody else closed, as it was booked.

    Attributes:
        trades: executions that explain all of it; empty where none are known.
    """

    change: HedgeClosedExternally
    trades: tuple[VenueTrade, ...] = ()

    @property
    def kind(self) -> CloseKind:
        """Who closed it."""
        return kind_of(self.trades)


@dataclass(frozen=True, slots=True)
class HedgeAccountLook:
    """One look at the hedge account.

    Attributes:
        split: ours and everybody else's.
        closed: parts of our hedges that others closed, booked by this look.
    """

    account: VenueAccount
    split: Attribution
    closed: tuple[ClosedHedge, ...]


class HedgeAccount:
    """Reads it; keeps only what was believed last, and yesterday's disagreement."""

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        clock: Clock,
        *,
        rule: AgreementRule | None = None,
        exclusive: bool = False,
        marks: Marks | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        """Reads it through this venue.

        Args:
            exclusive: nobody else trades here, and nothing is done while somebody does.
            marks: tells what a position that is in doubt is worth; None: no doubt is small.
            doubts: of all that are read in one look; None: of this account alone.
        """
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._exclusive = exclusive
        self._lag = PositionLag(journal, clock, venue.account_name)
        self.on_closed: Callable[[Sequence[ClosedHedge]], None] = lambda _closed: None
        name = f"hedge account {venue.account_name}"
        self._agreement = (
            None
            if rule is None
            else Agreement(name, rule, journal, clock, marks=marks, doubts=doubts)
        )
        self._disagreement: tuple[HedgeClosedExternally, ...] = ()
        self._external: Quantities = {}

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._venue.account_name

    async def look(self) -> HedgeAccountLook:
        """Reads it; a hedge that others closed is booked as closed.

        Raises:
            DataError: what is read contradicts itself or the journal, and must be read again.
            UnreachableError, VenueError: the venue does not answer.
        """
        agreed = await self._believed()
        account = agreed.read
        split = self._split(account)
        if self._exclusive and (foreign := self.foreign(account)) is not None:
            raise DataError(foreign)
        split, closed = await self._attributed(account, split)
        # Ours is known by the journal; only what others hold can be in doubt.
        split = replace(split, external={**split.external, **agreed.doubtful})
        return HedgeAccountLook(account, split, closed)

    def foreign(self, account: VenueAccount) -> str | None:
        """What is not ours where everything should be, in one line."""
        cure = "close it, or set venue.ownership to shared"
        for (symbol, _), quantity in _beside_ours(self._split(account)).items():
            return (
                f"{symbol}: {quantity.normalize():f} in the hedge sub-account {self.name} is not "
                f"ours; {cure}"
            )
        for client_id in sorted(account.open_order_client_ids):
            if self._journal.order(client_id) is None:
                return (
                    f"order {client_id} is open in the hedge sub-account {self.name} and is not "
                    f"ours; {cure}"
                )
        return None

    async def _believed(self) -> Agreed[VenueAccount]:
        async def read() -> VenueAccount:
            account = await self._venue.account()
            await self._book_late_fills(account)
            return account

        if self._agreement is None:
            return Agreed(await read())
        return await self._agreement.agreed(read, lambda a: Told(_beside_ours(self._split(a))))

    async def _book_late_fills(self, account: VenueAccount) -> None:
        """Where the account moved without us, it may still be by an order of ours.

        An order that the network sent on twice fills again under our id, and an answer of the
        venue's may have told less than became true. So what looks like somebody else's doing is
        looked for among our fills first.
        """
        external = self._split(account).external
        changed = {key[0] for key in external if external[key] != self._external.get(key)}
        if changed:
            ours = set(self._journal.symbols_traded(account.state.name))
            for symbol in sorted(changed & ours):
                await book_fills(self._journal, self._venue, symbol, self._clock)
            external = self._split(account).external
        self._external = external

    async def _attributed(
        self, account: VenueAccount, split: Attribution
    ) -> tuple[Attribution, tuple[ClosedHedge, ...]]:
        """Ours and everybody else's; a hedge that shrank without us needs a second witness."""
        earlier, self._disagreement = self._disagreement, split.closed_externally
        if split.unsure:
            raise DataError(
                f"{min(split.unsure)}: an order of ours is not resolved and the account holds "
                "something else than the journal; waiting until it is known"
            )
        if not split.closed_externally:
            return split, ()
        closed = [await self._explained(change) for change in split.closed_externally]
        unexplained = [one.change for one in closed if not one.trades]
        lagging = [one.change for one in closed if self._may_be_ours(one)]
        if lagging or (unexplained and split.closed_externally != earlier):
            first = (lagging or unexplained)[0]
            raise DataError(
                f"{first.symbol}: the journal has a hedge of {first.own_quantity} but the account "
                f"holds {first.venue_quantity}; waiting for a second read that agrees"
            )
        # People are told first: if this ends in between, it is found, told and booked again.
        self.on_closed(closed)
        self._book(closed)
        self._disagreement = ()
        return self._split(account), tuple(closed)

    def _may_be_ours(self, one: ClosedHedge) -> bool:
        """The account may not show a fill of ours yet, and no trade of others since explains it."""
        symbol = one.change.symbol
        older = [self._lag.is_older(symbol, trade.fill.timestamp_ms) for trade in one.trades]
        return self._lag.may_last(symbol) and (not older or any(older))

    async def _explained(self, change: HedgeClosedExternally) -> ClosedHedge:
        trades = await find_trades(self._journal, self._venue, change, self._clock)
        return ClosedHedge(change, trades)

    def _book(self, closed: Sequence[ClosedHedge]) -> None:
        now_ms = self._clock.now_ms()
        for one in closed:
            self._journal.record_external_close(
                self.name, one.change, timestamp_ms=now_ms, trades=one.trades
            )

    def _split(self, account: VenueAccount) -> Attribution:
        name = account.state.name
        unresolved = {order.symbol for order in self._journal.unresolved_orders(name)}
        return attribute(self._journal.own_positions(name), account.base_quantity, unresolved)


def _beside_ours(split: Attribution) -> dict[tuple[str, str], Decimal]:
    """What is surely somebody else's: no hedge that shrank, and no order that may be the cause."""
    shrunk = {(one.symbol, one.position_side) for one in split.closed_externally}
    return {
        key: quantity
        for key, quantity in split.external.items()
        if key not in shrunk and key[0] not in split.unresolved
    }
