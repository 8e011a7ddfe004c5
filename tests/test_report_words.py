"""Numbers and names as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 USD"),
        (12_340.4, "12,340 USD"),
        (-12_340.6, "−12,341 USD"),
        (99.99, "99.99 USD"),
        (99.996, "100 USD"),
        (-0.004, "−0.004 USD"),
        (0.0000123, "0.0000123 USD"),
        (1.5, "1.50 USD"),
    ],
)
def test_usd(value: float | None, text: str) -> None:
    assert words.usd(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(84_210.5, "84,210.50"), (0.6123, "0.6123"), (0.00003412, "0.00003412"), (311.2, "311.20")],
)
def test_price_keeps_six_digits(value: float, text: str) -> None:
    assert words.price(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(850.0, "850"), (73_600.0, "73.6k"), (99_960.0, "100k"), (1.2e6, "1.2m")]
)
def test_kilo(value: float, text: str) -> None:
    assert words.kilo(value) == text


@given(st.floats(min_value=-5e11, max_value=5e11))
def test_rounding_never_moves_a_figure_by_more_than_a_hundredth(value: float) -> None:
    told = words.amount(value).replace(words.MINUS, "-").replace(",", "")
    assert float(told) == pytest.approx(value, rel=0.01, abs=1e-8)
    assert len(words.kilo(value)) <= 6
    assert len(words.short_amount(value)) <= 9


@given(st.floats() | st.none() | st.text() | st.booleans() | st.integers())
def test_a_number_is_finite_or_nothing(value: object) -> None:
    found = words.number(value)
    assert found is None or math.isfinite(found)


@pytest.mark.parametrize("value", [math.nan, math.inf, "12", True, None])
def test_what_is_no_number_is_missing(value: object) -> None:
    assert words.number(value) is None


@given(st.text())
def test_plain_text_cannot_steer_a_terminal(text: str) -> None:
    assert all(character.isprintable() for character in words.plain(text))


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        ("FET/USDT:USDT", "FET"),
        ("FET/USDC:USDC", "FET/USDC:USDC"),
        ("/USDT:USDT", "/USDT:USDT"),
        ("A\x1b[31m/USDT:USDT", "A�[31m"),
    ],
)
def test_base(symbol: str, text: str) -> None:
    assert words.base(symbol) == text


def test_breach_sentence_names_scope_unit_and_cure() -> None:
    breach = {
        "cap": "adv_share",
        "scope": "FET/USDT:USDT",
        "value": 0.02,
        "limit": 0.01,
        "bot_alone": False,
        "curable": False,
    }
    assert words.breach_sentence(breach) == (
        "share of daily volume of FET 2.0 % over 1.0 % (200 %), which no allowed hedge can lower"
    )
