"""One token under many names: which contract of the hedge venue stands for a reported one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ports import ReportedPosition
from bot.sources.symbols import Mapped, SymbolMap, Unmapped
from config.aliases import Aliases, load_aliases
from config.errors import ConfigError
from risk.instrument import Instrument
from tests.execute_scene import FET, INSTRUMENTS

ALIASES = load_aliases()
DAY = date(2026, 1, 1)


def symbol_map(*listed: str, venue: str = "binanceusdm", on: date = DAY) -> SymbolMap:
    return SymbolMap(ALIASES, instruments(*listed, venue=venue), on)


def instruments(*listed: str, venue: str = "binanceusdm") -> dict[str, Instrument]:
    found = {}
    for symbol in listed:
        base, _, rest = symbol.partition("/")
        quote = rest.partition(":")[0]
        found[symbol] = replace(
            INSTRUMENTS[FET], symbol=symbol, base=base, quote=quote, venue=venue
        )
    return found


HANDS = [
    # exchange, reported, listed by the hedge venue, symbol, ratio
    (None, "FET/USDT:USDT", ["FET/USDT:USDT", "FET/USDC:USDC"], "FET/USDT:USDT", "1"),
    (None, "FET/USDC:USDC", ["FET/USDT:USDT", "FET/USDC:USDC"], "FET/USDC:USDC", "1"),
    (None, "FET/USDC:USDC", ["FET/USDT:USDT"], "FET/USDT:USDT", "1"),
    ("bybit", "FET/USDT:USDT", ["FET/USDC:USDC"], "FET/USDC:USDC", "1"),
    ("okx", "PEPE/USDT:USDT", ["1000PEPE/USDT:USDT"], "1000PEPE/USDT:USDT", "0.001"),
    ("bybit", "1000PEPE/USDT:USDT", ["PEPE/USDT:USDT"], "PEPE/USDT:USDT", "1000"),
    ("hyperliquid", "KPEPE/USDC:USDC", ["1000PEPE/USDT:USDT"], "1000PEPE/USDT:USDT", "1"),
    ("hyperliquid", "KPEPE/USDC:USDC", ["1000PEPE/USDT:USDT", "PEPE/USDC:USDC"],
     "PEPE/USDC:USDC", "1000"),
    ("bybit", "AGIX/USDT:USDT", ["FET/USDT:USDT"], "FET/USDT:USDT", "0.433350"),
    ("bybit", "OCEAN/USDT:USDT", ["FET/USDT:USDT"], "FET/USDT:USDT", "0.433226"),
    ("bybit", "MATIC/USDT:USDT", ["POL/USDT:USDT"], "POL/USDT:USDT", "1"),
    ("bybit", "POL/USDT:USDT", ["MATIC/USDT:USDT"], "MATIC/USDT:USDT", "1"),
    ("bybit", "AGIX/USDC:USDC", ["AGIX/USDT:USDT", "FET/USDC:USDC"], "AGIX/USDT:USDT", "1"),
    ("okx", "LUNA/USDT:USDT", ["LUNA2/USDT:USDT"], "LUNA2/USDT:USDT", "1"),
    ("bybit", "1000NEIROCTO/USDT:USDT", ["NEIRO/USDT:USDT"], "NEIRO/USDT:USDT", "1000"),
    ("bybit", "NEIRO/USDT:USDT", ["NEIRO/USDT:USDT", "NEIROETH/USDT:USDT"],
     "NEIROETH/USDT:USDT", "1"),
    ("binance", "NEIRO/USDT:USDT", ["NEIRO/USDT:USDT"], "NEIRO/USDT:USDT", "1"),
    ("paradex", "BTC/USD:USDC", ["BTC/USDT:USDT"], "BTC/USDT:USDT", "1"),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "reported", "listed", "symbol", "ratio"), HANDS)
def test_by_hand(
    exchange: str | None, reported: str, listed: list[str], symbol: str, ratio: str
) -> None:
    found = symbol_map(*listed).find(exchange, reported)
    assert isinstance(found, Mapped)
    assert (found.symbol, found.ratio) == (symbol, Decimal(ratio))
    assert found.other_quote == (reported.partition("/")[2][:4] != symbol.partition("/")[2][:4])


@pytest.mark.parametrize(
    ("exchange", "reported", "listed", "reason"),
    [
        (None, "TAO/USDT:USDT", "FET/USDT:USDT", "the venue lists no such active perpetual"),
        ("bybit", "NEIRO/USDT:USDT", "NEIRO/USDT:USDT", "the venue's NEIRO is another asset"),
        ("bybit", "BTC/USD:BTC", "BTC/USDT:USDT", "that is no linear perpetual in USD"),
        ("bybit", "BTC/USDT:USDT-261225", "BTC/USDT:USDT", "that is no linear perpetual in USD"),
        ("bybit", "KAVA/USDT:USDT", "AVA/USDT:USDT", "the venue lists no such active perpetual"),
    ],
)
def test_what_has_no_contract(
    exchange: str | None, reported: str, listed: str, reason: str
) -> None:
    found = symbol_map(listed).find(exchange, reported)
    assert isinstance(found, Unmapped)
    assert found.reason == reason


def test_a_rename_counts_from_its_day_on() -> None:
    before = symbol_map(FET, on=date(2024, 6, 30)).find("bybit", "AGIX/USDT:USDT")
    after = symbol_map(FET, on=date(2024, 7, 1)).find("bybit", "AGIX/USDT:USDT")
    assert isinstance(before, Unmapped)
    assert isinstance(after, Mapped)
    assert after.how == "1 AGIX = 0.43335 FET"


def test_a_distinct_asset_is_mapped_neither_way() -> None:
    aliases = Aliases({}, {}, {("bybit", "X"): None})
    there = SymbolMap(aliases, instruments("X/USDT:USDT"), DAY)
    found = there.find("bybit", "X/USDT:USDT")
    assert found == Unmapped("on bybit that is an asset of its own")
    here = SymbolMap(aliases, instruments("X/USDT:USDT", venue="bybit"), DAY)
    own, other = here.find("bybit", "X/USDT:USDT"), here.find("okx", "X/USDT:USDT")
    assert isinstance(own, Mapped)
    assert other == Unmapped("the venue's X is another asset", "X")


def test_prices_of_a_position_are_converted_with_its_quantity() -> None:
    found = symbol_map("1000PEPE/USDT:USDT").find("okx", "PEPE/USDT:USDT")
    assert isinstance(found, Mapped)
    reported = ReportedPosition(
        "PEPE/USDT:USDT", Decimal(-5_000_000), "SHORT", 0.00001, 5.0, 0.00002, -3.0, "a"
    )
    assert found.position(reported) == ReportedPosition(
        "1000PEPE/USDT:USDT", Decimal(-5000), "SHORT", 0.01, 5.0, 0.02, -3.0, "a"
    )


def test_every_name_of_a_token_is_its_kin() -> None:
    found = symbol_map("1000PEPE/USDT:USDT", "PEPE/USDC:USDC", FET)
    assert found.kin("PEPE") == {"1000PEPE/USDT:USDT", "PEPE/USDC:USDC"}
    assert found.kin(None) == frozenset()


def test_the_names_of_another_exchange_are_told() -> None:
    names = symbol_map("1000PEPE/USDT:USDT", "NEIRO/USDT:USDT").names("bybit")
    assert names["PEPE/USDC:USDC"] == "1000PEPE/USDT:USDT"
    assert names["NEIRO/USDT:USDT"] == ""
    assert "1000PEPE/USDT:USDT" not in names


BASES = sorted(
    {*ALIASES.renames, *ALIASES.multipliers, *(r.new for r in ALIASES.renames.values())}
    | {token for token, _ in ALIASES.multipliers.values()}
    | {"BTC", "KAVA", "LUNA", "LUNA2", "NEIRO", "NEIROETH", "NEIROCTO"}
)
EXCHANGES = ["binanceusdm", "bybit", "okx", "hyperliquid", "bingx"]
PAIRS = st.builds("{0}/{1}:{1}".format, st.sampled_from(BASES), st.sampled_from(["USDT", "USDC"]))
SIZES = st.decimals(min_value="-1e9", max_value="1e9", places=8).filter(bool)


@given(PAIRS, PAIRS, st.sampled_from(EXCHANGES), st.sampled_from(EXCHANGES), SIZES)
def test_there_and_back_is_worth_the_same(
    reported: str, listed: str, exchange: str, venue: str, size: Decimal
) -> None:
    found = symbol_map(listed, venue=venue).find(exchange, reported)
    back = symbol_map(reported, venue=exchange).find(venue, listed)
    assert isinstance(found, Mapped) == isinstance(back, Mapped)
    if isinstance(found, Mapped) and isinstance(back, Mapped):
        # A price of the reported contract is the listed one's times the ratio.
        worth, price = size * found.ratio, Decimal("0.37")
        assert found.quantity(size) * price == pytest.approx(worth * price, rel=Decimal("1e-25"))
        again = back.quantity(found.quantity(size))
        assert abs(again - size) <= abs(size) * Decimal("1e-25")
        if found.ratio.normalize().as_tuple().exponent >= -9:  # type: ignore[operator]
            assert found.quantity(size) == size * found.ratio


@given(PAIRS, st.sampled_from(EXCHANGES), st.lists(PAIRS, min_size=1, unique=True),
       st.sampled_from(EXCHANGES))  # fmt: skip
def test_no_two_assets_are_merged(
    reported: str, exchange: str, listed: list[str], venue: str
) -> None:
    """An independent word of what is one asset: the table, read by hand."""
    found = symbol_map(*listed, venue=venue).find(exchange, reported)
    if isinstance(found, Mapped):
        assert asset(exchange, reported) == asset(venue, found.symbol)
    else:
        assert asset(exchange, reported) not in {asset(venue, one) for one in listed}


GROUPS = [
    {"AGIX", "OCEAN", "FET"}, {"RNDR", "RENDER"}, {"MATIC", "POL"}, {"KLAY", "KAIA"},
    {"FTM", "S"}, {"EOS", "A"},
]  # fmt: skip


def asset(exchange: str, symbol: str) -> str:
    base = symbol.partition("/")[0]
    for prefix in ("1000000", "1000", "1M"):
        base = base.removeprefix(prefix)
    if base in ("KBONK", "KFLOKI", "KLUNC", "KPEPE", "KSHIB"):
        base = base[1:]
    if base == "LUNA2" and exchange == "binanceusdm":
        base = "LUNA"
    if exchange == "bybit" and base == "NEIRO":
        return "NEIROETH"
    if exchange in ("bybit", "bingx") and base == "NEIROCTO":
        return "NEIRO"
    return next((min(group) for group in GROUPS if base in group), base)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{exchange: bybit, base: X, token: x}", "names[0].token"),
        ("{exchange: nowhere, base: X, token: Y}", "names[0].exchange"),
        (
            "{exchange: bybit, base: X, token: Y}, {exchange: bybit, base: X, token: distinct}",
            "each name of an exchange only once",
        ),
    ],
)
def test_a_wrong_table_is_told_in_one_line(tmp_path: Path, row: str, words: str) -> None:
    file = tmp_path / "aliases.yaml"
    file.write_text(f"renames: []\nmultipliers: []\nnames: [{row}]\n")
    with pytest.raises(ConfigError) as caught:
        load_aliases(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
