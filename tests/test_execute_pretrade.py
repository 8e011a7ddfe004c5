"""Every control denies what it must, by its own name, and lets the rest pass."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ports import VenueAccount
from bot.trading.orders import OrderRequest, Side
from bot.trading.pretrade import (
    CONTROLS,
    OpenOrder,
    PretradeFacts,
    PretradeLimits,
    SentOrder,
    check_order,
)
from tests.execute_scene import (
    BTC,
    FET,
    INSTRUMENTS,
    NOW_MS,
    QUOTES,
    TAO,
    account,
    instrument,
    order,
    quote,
)

LIMITS = PretradeLimits()
FACTS = PretradeFacts(
    now_ms=NOW_MS,
    instruments=INSTRUMENTS,
    quotes=QUOTES,
    account=account(),
    own={},
    open_orders=(),
    allowed=frozenset({FET, TAO, BTC}),
    positions_ms=NOW_MS,
    instruments_ms=NOW_MS,
)
SELL = order(quantity="1000", price="0.4980")  # 500 USD
CLOSE = order(side=Side.BUY, quantity="1000", price="0.5020", reduce_only=True)
HELD = {(FET, "BOTH"): Decimal(-1000)}
PENDING = OpenOrder(TAO, Side.SELL, "BOTH", Decimal(2), reduce_only=False)  # 800 USD


def with_quote(**change: float) -> PretradeFacts:
    return replace(FACTS, quotes={**QUOTES, FET: replace(QUOTES[FET], **change)})


def with_account(**money: float) -> PretradeFacts:
    return replace(FACTS, account=account(**money))


def sent(age_ms: int, *, intent: str = "other", side: Side = Side.SELL) -> SentOrder:
    """An order like SELL, sent so long ago."""
    at_ms = NOW_MS - age_ms
    return SentOrder("h1x", intent, side, Decimal(1000), at_ms, 1, Decimal(1000))


def with_margin(*, equity: float, maintenance: float) -> VenueAccount:
    one = account(equity_usd=equity)
    return replace(one, state=replace(one.state, maintenance_margin_usd=maintenance))


Case = tuple[str, OrderRequest, PretradeFacts, PretradeLimits]

CASES: dict[str, Case] = {
    "halted": ("symbol_halted", SELL, replace(FACTS, halted={FET: "because"}), LIMITS),
    "all halted": ("symbol_halted", SELL, replace(FACTS, halted={"*": "because"}), LIMITS),
    "style not chosen": ("style", replace(SELL, time_in_force="GTC"), FACTS, LIMITS),
    "clock off": ("clock_offset", SELL, replace(FACTS, clock_offset_ms=-501), LIMITS),
    "clock far off": ("clock_halt", SELL, replace(FACTS, clock_offset_ms=1_000), LIMITS),
    "filters stale": (
        "filters_age",
        SELL,
        replace(FACTS, instruments_ms=NOW_MS - 3_600_001),
        LIMITS,
    ),
    "filters of unknown age": ("filters_age", SELL, replace(FACTS, instruments_ms=None), LIMITS),
    "a lot that is no decimal": (
        "filters_age",
        SELL,
        replace(FACTS, instruments={FET: replace(instrument(), lot=1.0)}),  # type: ignore[arg-type]  # wrong on purpose
        LIMITS,
    ),
    "liquidation near by the account": (
        "liquidation",
        SELL,
        replace(FACTS, account=with_margin(equity=2_000.0, maintenance=1_926.0)),
        replace(LIMITS, max_order_equity_fraction=1.0, symbol_equity_fraction=1.0),
    ),
    "liquidation near by the venue": (
        "liquidation",
        SELL,
        replace(
            FACTS,
            own=HELD,
            account=replace(
                account({(FET, "BOTH"): Decimal(-1000)}), liquidation_price={(FET, "BOTH"): 0.649}
            ),
        ),
        LIMITS,
    ),
    "an order of others might be ended": (
        "self_trade",
        SELL,
        replace(FACTS, foreign_orders=frozenset({FET})),
        LIMITS,
    ),
    "turnover": ("turnover", SELL, replace(FACTS, turnover_usd=Decimal(299_501)), LIMITS),
    "duplicate": ("duplicate", SELL, replace(FACTS, recent=(sent(2_000),)), LIMITS),
    "repeated": (
        "repeated",
        SELL,
        replace(
            FACTS,
            recent=tuple(sent(ms, intent="i1") for ms in (60_000, 4_000, 3_000, 2_500)),
            slices=1,
            rest=Decimal(801),
        ),
        LIMITS,
    ),
    "no quantity": ("numbers", order(quantity="0"), FACTS, LIMITS),
    "quantity NaN": ("numbers", order(quantity="NaN"), FACTS, LIMITS),
    "price below 0": ("numbers", order(price="-1"), FACTS, LIMITS),
    "price infinite": ("numbers", order(price="Infinity"), FACTS, LIMITS),
    "no equity": ("numbers", SELL, with_account(equity_usd=0.0), LIMITS),
    "equity NaN": ("numbers", SELL, with_account(equity_usd=float("nan")), LIMITS),
    "available NaN": ("numbers", SELL, with_account(available_usd=float("nan")), LIMITS),
    "unlisted": ("market", order(symbol="NEW/USDT:USDT"), FACTS, LIMITS),
    "no quote": ("market", SELL, replace(FACTS, quotes={}), LIMITS),
    "mark NaN": ("market", SELL, with_quote(mark=float("nan")), LIMITS),
    "index 0": ("market", SELL, with_quote(index=0.0), LIMITS),
    "mark stale": ("mark_age", SELL, with_quote(timestamp_ms=NOW_MS - 3_001), LIMITS),
    "mark of the future": ("mark_age", SELL, with_quote(timestamp_ms=NOW_MS + 3_001), LIMITS),
    "positions stale": (
        "positions_age",
        SELL,
        replace(FACTS, positions_ms=NOW_MS - 5_001),
        LIMITS,
    ),
    "balance stale": (
        "balance_age",
        SELL,
        replace(FACTS, account=account(at=NOW_MS - 30_001)),
        LIMITS,
    ),
    "last diverges": ("divergence", SELL, with_quote(last=0.5051), LIMITS),
    "index diverges": ("divergence", SELL, with_quote(index=0.4949), LIMITS),
    "hands-off": ("allow_list", SELL, replace(FACTS, allowed=frozenset({TAO})), LIMITS),
    "unresolved": (
        "unresolved",
        SELL,
        replace(FACTS, open_orders=(replace(PENDING, symbol=FET),)),
        LIMITS,
    ),
    "closes nothing": ("closes", CLOSE, FACTS, LIMITS),
    "closes too much": (
        "closes",
        replace(CLOSE, quantity=Decimal(1001)),
        replace(FACTS, own=HELD),
        LIMITS,
    ),
    "close not reduce-only": (
        "closes",
        replace(CLOSE, reduce_only=False),
        replace(FACTS, own=HELD),
        LIMITS,
    ),
    "wrong position side": ("closes", replace(SELL, position_side="SHORT"), FACTS, LIMITS),
    "no position side in hedge mode": (
        "closes",
        SELL,
        replace(FACTS, account=account(hedge_mode=True)),
        LIMITS,
    ),
    "opens on the wrong side": (
        "closes",
        replace(SELL, position_side="LONG"),
        replace(FACTS, account=account(hedge_mode=True)),
        LIMITS,
    ),
    "off the tick": ("filters", order(price="0.49805"), FACTS, LIMITS),
    "off the lot": ("filters", order(quantity="1000.5"), FACTS, LIMITS),
    "above the venue's largest": (
        "filters",
        SELL,
        replace(FACTS, instruments={FET: instrument(max_quantity="999")}),
        LIMITS,
    ),
    "below the smallest notional": ("smallest", order(quantity="9"), FACTS, LIMITS),
    "below the smallest quantity": (
        "smallest",
        SELL,
        replace(FACTS, instruments={FET: replace(instrument(), min_quantity=Decimal(2000))}),
        LIMITS,
    ),
    "the other side is still held": (
        "closes",
        order(side=Side.BUY, price="0.5020", position_side="LONG"),
        replace(
            FACTS,
            account=replace(account(), hedge_mode=True),
            own={(FET, "SHORT"): Decimal(-400)},
        ),
        LIMITS,
    ),
    "outside the collar": ("collar", order(price="0.4949"), FACTS, LIMITS),
    "order too large": ("order_notional", order(quantity="4001"), FACTS, LIMITS),
    "too large for the equity": (
        "order_notional",
        SELL,
        with_account(equity_usd=9_999.0),
        LIMITS,
    ),
    "symbol too large": (
        "symbol_gross",
        SELL,
        replace(FACTS, own={(FET, "BOTH"): Decimal(-59_001)}),
        LIMITS,
    ),
    "gross too large": (
        "hedge_gross",
        SELL,
        replace(FACTS, own={(TAO, "BOTH"): Decimal(-249)}),
        LIMITS,
    ),
    "gross too large if pending fills": (
        "hedge_gross",
        SELL,
        replace(FACTS, own={(TAO, "BOTH"): Decimal(-247)}, open_orders=(PENDING,)),
        LIMITS,
    ),
    "gross unknown": (
        "hedge_gross",
        SELL,
        replace(FACTS, own={("OLD/USDT:USDT", "BOTH"): Decimal(-1)}),
        LIMITS,
    ),
    "gross not a number": (
        "hedge_gross",
        SELL,
        replace(
            FACTS,
            own={(TAO, "BOTH"): Decimal(-1)},
            quotes={**QUOTES, TAO: replace(QUOTES[TAO], mark=float("nan"))},
        ),
        LIMITS,
    ),
    "book too thin": (
        "depth",
        SELL,
        replace(FACTS, depth_usd={(FET, Side.SELL): 1999.0}),
        LIMITS,
    ),
    "margin too short": ("free_margin", SELL, with_account(available_usd=30_024.0), LIMITS),
    "margin too short if pending fills": (
        "free_margin",
        SELL,
        replace(with_account(available_usd=30_060.0), open_orders=(PENDING,)),
        LIMITS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_denied_by_the_right_control(name: str) -> None:
    control, request, facts, limits = CASES[name]
    denied = check_order(request, facts, limits)
    assert denied is not None
    assert denied.control == control
    assert denied.reason.startswith(request.symbol)
    assert "\n" not in denied.reason


def test_every_control_has_a_case() -> None:
    assert {case[0] for case in CASES.values()} == set(CONTROLS)


@pytest.mark.parametrize(
    ("request_", "change"),
    [
        (SELL, lambda f: f),
        (order(price="0.4950"), lambda f: f),  # the collar's very edge
        (order(quantity="3984"), lambda f: f),
        # The other side of each of the boundaries above.
        (SELL, lambda f: replace(f, halted={TAO: "because"})),
        (SELL, lambda f: replace(f, clock_offset_ms=-500)),
        (SELL, lambda f: replace(f, clock_offset_ms=None)),
        (SELL, lambda f: replace(f, instruments_ms=NOW_MS - 3_600_000)),
        (SELL, lambda f: replace(f, foreign_orders=frozenset({TAO}))),
        (SELL, lambda f: replace(f, foreign_orders=frozenset({FET}), self_trade_safe=True)),
        (SELL, lambda f: replace(f, turnover_usd=Decimal(299_500))),
        (SELL, lambda f: replace(f, recent=(sent(2_001),))),
        (SELL, lambda f: replace(f, recent=(sent(500, side=Side.BUY),))),
        (SELL, lambda f: replace(f, recent=(sent(0, intent="i1"),))),  # slices of one intent
        (
            SELL,
            lambda f: replace(
                f, recent=tuple(sent(ms) for ms in (60_001, 4_000, 3_000, 2_500)), rest=Decimal(900)
            ),
        ),
        (
            SELL,
            lambda f: replace(
                f, recent=tuple(sent(9_000 + i) for i in range(4)), slices=1, rest=Decimal(800)
            ),
        ),
        (
            SELL,
            lambda f: replace(
                f, recent=tuple(sent(9_000 + i) for i in range(5)), slices=3, rest=Decimal(900)
            ),
        ),
        (
            SELL,
            lambda f: replace(
                f,
                own=HELD,
                account=replace(
                    account({(FET, "BOTH"): Decimal(-1000)}),
                    liquidation_price={(FET, "BOTH"): 0.65},
                ),
            ),
        ),
        (SELL, lambda f: replace(f, depth_usd={(FET, Side.SELL): 2000.1})),
        (SELL, lambda f: replace(f, open_orders=(PENDING,))),
        (SELL, lambda f: replace(f, own={(FET, "BOTH"): Decimal(-58_000)})),
        (CLOSE, lambda f: replace(f, own=HELD)),
        # A close is free of: hands-off, smallest order, gross and margin limits.
        (CLOSE, lambda f: replace(f, own=HELD, allowed=frozenset())),
        (replace(CLOSE, quantity=Decimal(1)), lambda f: replace(f, own=HELD)),
        (CLOSE, lambda f: replace(f, own={(FET, "BOTH"): Decimal(-999_999)})),
        (CLOSE, lambda f: replace(f, own=HELD, account=account(available_usd=0.0))),
        # A rest below one lot on the other side can never be closed.
        (
            replace(SELL, position_side="SHORT"),
            lambda f: replace(
                f,
                account=account(hedge_mode=True),
                own={(FET, "LONG"): Decimal("0.4")},
            ),
        ),
        # The end of a position may be off the lot.
        (
            replace(CLOSE, quantity=Decimal("7.5")),
            lambda f: replace(f, own={(FET, "BOTH"): Decimal("-7.5")}),
        ),
    ],
)
def test_accepted(request_: OrderRequest, change: Callable[[PretradeFacts], PretradeFacts]) -> None:
    assert check_order(request_, change(FACTS), LIMITS) is None


@given(
    held=st.integers(-3000, 3000),
    pending=st.lists(
        st.tuples(st.sampled_from(list(Side)), st.integers(1, 2000), st.booleans()), max_size=4
    ),
    quantity=st.integers(1, 3000),
    side=st.sampled_from(list(Side)),
)
def test_an_accepted_order_keeps_the_caps_whatever_becomes_of_the_pending_ones(
    held: int, pending: list[tuple[Side, int, bool]], quantity: int, side: Side
) -> None:
    """The worst case of every subset of unresolved orders, by brute force."""
    limits = replace(LIMITS, hedge_gross_equity_fraction=0.012, symbol_equity_fraction=0.01)
    facts = replace(
        FACTS,
        own={(FET, "BOTH"): Decimal(held)},
        quotes={**QUOTES, TAO: quote(TAO, 0.5)},
        instruments={**INSTRUMENTS, TAO: instrument(TAO)},
        open_orders=tuple(
            OpenOrder(FET, s, "BOTH", Decimal(q), reduce_only=False) for s, q, _ in pending
        ),
    )
    request = order(
        symbol=TAO, side=side, quantity=str(quantity), price="0.498" if side is Side.SELL else "0.5"
    )
    if check_order(request, facts, limits) is not None:
        return
    for mask in range(2 ** len(pending)):
        filled = [row for i, row in enumerate(pending) if mask >> i & 1]
        after = held + sum(s.sign * q for s, q, _ in filled)
        gross_usd = abs(after) * 0.5 + quantity * 0.5
        assert gross_usd <= 0.012 * 100_000 + 1e-6


def test_the_order_cap_is_the_smaller_of_two_and_never_negative() -> None:
    assert LIMITS.order_cap_usd(100_000.0) == 2000
    assert LIMITS.order_cap_usd(10_000.0) == 500
    assert LIMITS.order_cap_usd(-5.0) == 0
