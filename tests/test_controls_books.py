"""Our books against the exchange's list of income: pure cases, and a whole run that agrees."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.controls.books import INCOME_TYPES, Booked, Income, unsettled
from bot.trading.ledger import FundingReceipt
from tests.execute_scene import FET, NOW_MS, TAO, fill, own_fill

FILL = own_fill(fill(trade_id="t1", fee="0.2"))
RECEIPT = FundingReceipt(f"{FET}#7", FET, Decimal("-1.25"), NOW_MS)
BOOKED = Booked.of([RECEIPT], [FILL], [FET], NOW_MS)


def row(kind: str, amount: str, **more: Any) -> Income:
    return replace(Income("7", kind, FET, amount, NOW_MS), **more)


@pytest.mark.parametrize(
    ("one", "control"),
    [
        (row("FUNDING_FEE", "-1.25"), None),
        (row("FUNDING_FEE", "-1.2500"), None),
        (row("FUNDING_FEE", "-1.24"), "funding_incomplete"),
        (row("FUNDING_FEE", "nonsense"), "funding_incomplete"),
        (row("FUNDING_FEE", "-1.25", income_id="8"), "funding_incomplete"),
        (
            row("FUNDING_FEE", "-1.25", income_id="8", timestamp_ms=NOW_MS + 1),
            None,
        ),  # still to come
        (row("FUNDING_FEE", "-1.25", income_id="8", symbol=TAO), None),  # not of ours
        (row("COMMISSION", "-0.2", trade_id="t1"), None),
        (row("COMMISSION", "-0.3", trade_id="t1"), "fee_differs"),
        (row("COMMISSION", "0.2", trade_id="t1"), "fee_differs"),
        (row("COMMISSION", "-0.001", trade_id="t1", asset="BNB"), None),  # no dollars: missing_fee
        (row("COMMISSION", "-0.3", trade_id="t2"), None),  # somebody else's
        (row("INSURANCE_CLEAR", "-9"), "liquidation_fee"),
        (row("TRANSFER", "500", symbol=""), None),
        (row("LUNAR_TAX", "-3"), "unknown_income"),
        (row("", "-3"), "unknown_income"),
    ],
)
def test_what_our_books_lack_is_told(one: Income, control: str | None) -> None:
    found = list(unsettled([one, one], BOOKED).values())
    assert [each.control for each in found] == ([] if control is None else [control])
    assert all("\n" not in each.reason and one.amount_usd in each.reason for each in found)


def test_every_known_kind_is_quiet_where_nothing_of_ours_is_touched() -> None:
    rows = [row(kind, "1", symbol="") for kind in INCOME_TYPES - {"INSURANCE_CLEAR"}]
    assert unsettled(rows, BOOKED) == {}
