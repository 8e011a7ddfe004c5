"""The ledger against exact fractions, and its identities on random histories."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.trading.ledger import (
    ExternalClose,
    FundingReceipt,
    Holding,
    OwnFill,
    PositionKey,
    follow,
    replay,
)
from bot.trading.orders import Side
from tests.execute_scene import FET, NOW_MS, TAO, fill, own_fill

quantities = st.integers(1, 10_000).map(lambda n: Decimal(n) / 1000)
prices = st.integers(1, 10**7).map(lambda n: Decimal(n) / 10_000)


@st.composite
def histories(draw: st.DrawFn) -> list[OwnFill]:
    rows = draw(
        st.lists(st.tuples(st.sampled_from(list(Side)), quantities, prices, prices), max_size=25)
    )
    return [
        own_fill(
            fill(
                f"t{i}",
                side=side,
                quantity=str(quantity),
                price=str(price),
                fee=str(fee / 1000),
                at=NOW_MS + i,
            )
        )
        for i, (side, quantity, price, fee) in enumerate(rows)
    ]


def reference(history: list[OwnFill]) -> tuple[Fraction, Fraction, Fraction]:
    """Quantity, average entry and realised PnL by the book, in exact fractions."""
    held = entry = realised = Fraction(0)
    for own in history:
        signed = Fraction(own.signed_quantity)
        price = Fraction(own.fill.price)
        if held * signed >= 0:
            total = held + signed
            entry = (entry * held + price * signed) / total
            held = total
            continue
        closed = min(abs(signed), abs(held)) * (1 if signed > 0 else -1)
        realised += -closed * (price - entry)
        held += signed
        if abs(signed) > abs(closed):
            entry = price
    return held, entry, realised


@given(histories())
def test_equals_exact_average_cost_accounting(history: list[OwnFill]) -> None:
    ledger = replay(history)
    held, entry, realised = reference(history)
    position = ledger.positions.get((FET, "BOTH"))
    if position is None:
        assert not history
        return
    assert Fraction(position.base_quantity) == held
    assert abs(Fraction(position.realised_pnl_usd) - realised) < Fraction(1, 10**9)
    if held:
        assert position.entry_price is not None
        assert abs(Fraction(position.entry_price) - entry) < Fraction(1, 10**6)
        assert position.entry_price > 0


@given(histories())
def test_nothing_is_lost_between_realised_and_open(history: list[OwnFill]) -> None:
    """All money that went in or out is realised or still in the position's cost: to the digit."""
    ledger = replay(history)
    paid = sum((o.signed_quantity * o.fill.price for o in history), Decimal(0))
    open_cost = sum((p.cost_usd for p in ledger.positions.values()), Decimal(0))
    assert ledger.realised_pnl_usd == open_cost - paid
    fees = sum((o.fill.fee_usd or Decimal(0) for o in history), Decimal(0))
    assert ledger.cash_change_usd == ledger.realised_pnl_usd - fees


@given(histories(), st.integers(0, 25))
def test_a_prefix_and_its_rest_give_the_whole(history: list[OwnFill], cut: int) -> None:
    whole = replay(history)
    assert replay(history[:cut] + history[cut:]) == whole
    assert replay(list(reversed(history))) == whole  # taken by time, not by the order they came


def test_a_short_that_is_closed_in_two_steps_and_flipped() -> None:
    ledger = replay(
        [
            own_fill(fill("t1", side=Side.SELL, quantity="10", price="8", fee="0.04", at=1)),
            own_fill(fill("t2", side=Side.BUY, quantity="4", price="7", fee="0.014", at=2)),
            own_fill(fill("t3", side=Side.BUY, quantity="9", price="9", fee="0.0405", at=3)),
        ],
        [
            FundingReceipt("f1", FET, Decimal("0.3"), 2),
            FundingReceipt("f2", FET, Decimal("-0.1"), 3),
        ],
    )
    position = ledger.positions[FET, "BOTH"]
    assert position.base_quantity == 3
    assert position.entry_price == 9
    assert position.realised_pnl_usd == Decimal(4) - Decimal(6)  # 4 x (8-7), then 6 x (8-9)
    assert ledger.cash_change_usd == Decimal("-2") - Decimal("0.0945") + Decimal("0.2")
    assert position.traded_usd == 80 + 28 + 81


def test_sides_of_hedge_mode_are_kept_apart() -> None:
    ledger = replay(
        [
            own_fill(fill("t1", side=Side.SELL, quantity="5"), "SHORT"),
            own_fill(fill("t2", side=Side.BUY, quantity="2"), "LONG"),
        ]
    )
    assert ledger.open_quantity == {(FET, "SHORT"): Decimal(-5), (FET, "LONG"): Decimal(2)}


def test_an_unknown_fee_is_counted_and_not_taken_for_zero_silently() -> None:
    ledger = replay([own_fill(fill("t1", fee=None)), own_fill(fill("t2", fee="0.1", symbol=TAO))])
    assert (ledger.fees_unknown, ledger.fees_usd) == (1, Decimal("0.1"))


def test_the_wallet_follows_the_venues_own_count_of_realised_pnl() -> None:
    """An exchange rounds entry prices; a restarted paper wallet must come out as it had it."""
    history = [
        own_fill(fill("t1", side=Side.SELL, quantity="3", price="1", fee="0", pnl="0", at=1)),
        own_fill(
            fill("t2", side=Side.BUY, quantity="1", price="0.9", fee="0.01", pnl="0.10000001", at=2)
        ),
    ]
    ledger = replay(history, [FundingReceipt("f", FET, Decimal("0.5"), 3)])
    assert ledger.wallet_usd(Decimal(1000)) == Decimal("1000.59000001")
    assert ledger.realised_pnl_usd == Decimal("0.1")


def test_a_close_by_others_takes_cost_along_and_realises_nothing() -> None:
    ledger = replay(
        [own_fill(fill("t1", side=Side.SELL, quantity="10", price="2", fee="0", at=1))],
        closes=[ExternalClose(FET, "BOTH", Decimal(4), 2)],
    )
    position = ledger.positions[FET, "BOTH"]
    assert (position.base_quantity, position.entry_price) == (Decimal(-6), Decimal(2))
    assert (position.realised_pnl_usd, position.closed_unpriced) == (Decimal(0), Decimal(4))


@st.composite
def moves(draw: st.DrawFn) -> list[OwnFill | ExternalClose]:
    """Fills and closes in two symbols, as they were read, some of them late."""
    rows = st.tuples(
        st.booleans(),
        st.sampled_from([FET, TAO]),
        st.sampled_from(list(Side)),
        quantities,
        st.integers(0, 12),
    )
    found: list[OwnFill | ExternalClose] = []
    for number, (ours, symbol, side, quantity, at) in enumerate(draw(st.lists(rows, max_size=20))):
        one = fill(f"t{number}", symbol=symbol, side=side, quantity=str(quantity), at=at)
        theirs = ExternalClose(symbol, "BOTH", side.sign * quantity, at)
        found.append(own_fill(one) if ours else theirs)
    return found


@given(moves(), st.lists(st.integers(1, 5), min_size=20, max_size=20))
def test_following_is_replaying_or_says_that_it_cannot(
    told: list[OwnFill | ExternalClose], portions: list[int]
) -> None:
    holdings: dict[PositionKey, Holding] = {}
    taken: list[OwnFill | ExternalClose] = []
    rest = list(told)
    for portion in portions:
        new, rest = rest[:portion], rest[portion:]
        taken += new
        fills = [one for one in new if isinstance(one, OwnFill)]
        closes = [one for one in new if isinstance(one, ExternalClose)]
        all_fills = [one for one in taken if isinstance(one, OwnFill)]
        all_closes = [one for one in taken if isinstance(one, ExternalClose)]
        if not follow(holdings, fills, closes):  # then everything is read anew
            assert any(_late(one, taken[: -len(new)]) for one in new)
            holdings = {}
            assert follow(holdings, all_fills, all_closes)
        expected = replay(all_fills, closes=all_closes).positions
        assert {key: one.base_quantity for key, one in holdings.items()} == {
            key: one.base_quantity for key, one in expected.items()
        }


def _late(one: OwnFill | ExternalClose, before: list[OwnFill | ExternalClose]) -> bool:
    """Whether something of the same position that is in already is not older."""
    return any(other.key == one.key and _at(other) >= _at(one) for other in before)


def _at(one: OwnFill | ExternalClose) -> int:
    return one.fill.timestamp_ms if isinstance(one, OwnFill) else one.timestamp_ms
