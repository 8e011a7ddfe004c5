"""``perphedge attribution``: figures of the journal, and the exchange's own income agrees."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from bot.attribution.hedges import HedgeResult
from bot.attribution.period import Attribution
from bot.attribution.reconciling import reconciled
from bot.controls.books import Income
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.trading.orders import Side
from bot.venues.sim.records import NewOrder, OrderType
from tests.e2e_scene import LONGS, called, live_config, one_line, paper_config, served_exchange

FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"
KEYS = {
    "PERPHEDGE_API_KEY": "sandbox-hedge-key",
    "PERPHEDGE_API_SECRET": "sandbox-hedge-secret",
    "PERPHEDGE_BOT_API_KEY": "sandbox-bot-key",
    "PERPHEDGE_BOT_API_SECRET": "sandbox-bot-secret",
}


def hedge(symbol: str, realised: str, fees: str, funding: str) -> HedgeResult:
    zero = Decimal(0)
    return HedgeResult(symbol, Decimal(realised), 0.0, Decimal(fees), Decimal(funding), zero)


def income(kind: str, symbol: str, usd: str, at_ms: int = 50, asset: str = "USDT") -> Income:
    return Income(f"{kind}{at_ms}{usd}", kind, symbol, usd, at_ms, asset=asset)


FOUND = Attribution(
    start_ms=10,
    end_ms=90,
    bots=(),
    hedges=(hedge(FET, "12.5", "0.75", "-0.1"), hedge(TAO, "0", "0.2", "0")),
    slippage_usd={},
    risk=None,
    booked_until_ms=100,
)
PAID = (
    income("REALIZED_PNL", FET, "10.00000000"),
    income("REALIZED_PNL", FET, "2.50000000"),
    income("COMMISSION", FET, "-0.75"),
    income("FUNDING_FEE", FET, "-0.1"),
    income("COMMISSION", TAO, "-0.2"),
)


def test_many_payments_are_one_sum_by_kind_and_symbol() -> None:
    told = reconciled(FOUND, PAID)
    assert told.agrees
    assert told.difference_usd == 0
    assert told.totals()["REALIZED_PNL"] == (Decimal("12.5"), Decimal("12.5"))
    assert told.document()["totals"]["COMMISSION"] == {"booked_usd": "-0.95", "paid_usd": "-0.95"}


def test_what_differs_is_told_to_the_last_digit() -> None:
    told = reconciled(FOUND, [*PAID, income("FUNDING_FEE", FET, "0.00000001")])
    assert not told.agrees
    (row,) = [one for one in told.rows if one.usd]
    assert (row.kind, row.symbol, row.usd) == ("FUNDING_FEE", FET, Decimal("0.00000001"))
    assert told.document()["difference_usd"] == "0.00000001"


def test_two_differences_that_cancel_are_still_two() -> None:
    more = [income("FUNDING_FEE", FET, "1"), income("FUNDING_FEE", TAO, "-1")]
    told = reconciled(FOUND, [*PAID, *more])
    assert told.difference_usd == 0
    assert not told.agrees


def test_what_is_no_result_of_a_hedge_stands_beside() -> None:
    others = [
        income("TRANSFER", "", "1000"),
        income("REALIZED_PNL", "DOGE/USDT:USDT", "-3"),
        income("COMMISSION", FET, "-0.001", asset="BNB"),
    ]
    told = reconciled(FOUND, [*PAID, *others])
    assert told.agrees
    assert told.beside == {
        ("TRANSFER", "USDT"): Decimal(1000),
        ("REALIZED_PNL", "USDT"): Decimal(-3),
        ("COMMISSION", "BNB"): Decimal("-0.001"),
    }


def test_only_the_time_of_the_period_counts() -> None:
    outside = [income("FUNDING_FEE", FET, "7", at_ms=9), income("FUNDING_FEE", FET, "7", at_ms=100)]
    assert reconciled(FOUND, [*PAID, *outside]).agrees


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A live engine has hedged twice over HTTP; its exchange still answers."""
    folder = tmp_path_factory.mktemp("live")
    with served_exchange() as served, pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        config = live_config(folder, served.host)
        bot = served.account("bot")
        for symbol, base in LONGS.items():
            order = NewOrder(symbol, Side.BUY, OrderType.MARKET, Decimal(base))
            served.do(partial(served.exchange.place, bot, order))
        live = ("--live", "--account", "hedge-sub")
        assert called("run", "-c", str(config), *live, "--cycles", "2").code == 0
        yield config


@pytest.mark.long
def test_a_live_account_s_income_is_what_was_booked(live: Path) -> None:
    finished = called("attribution", "-c", str(live), "--reconcile", "--json")
    assert finished.code == 0, finished.err
    found, told = finished.document["attribution"], finished.document["reconciled"]
    assert told["agrees"] is True
    fees = -Decimal(told["totals"]["COMMISSION"]["paid_usd"])
    with JournalReader.open_reader(live.parent / "state" / JOURNAL_NAME) as journal:
        booked = [one.fill.fee_usd for one in journal.own_fills("hedge-sub")]
    assert fees == sum(fee for fee in booked if fee is not None)
    assert fees > 1
    assert Decimal(found["total"]["fees_usd"]) == fees
    assert {row["symbol"] for row in told["rows"]} == {one["symbol"] for one in found["hedges"]}


def test_it_is_told_in_words_too(live: Path) -> None:
    finished = called("attribution", "-c", str(live), "--reconcile")
    assert finished.code == 0, finished.err
    assert "The exchange lists what was booked, to the last digit" in finished.out
    assert "TRANSFER" not in finished.out.split("beside the hedges")[0]
    assert max(len(line) for line in finished.out.splitlines()) <= 80
    assert "…" not in finished.out


def test_who_cannot_be_asked_is_said_in_one_line(live: Path, tmp_path: Path) -> None:
    paper = str(paper_config(tmp_path, "127.0.0.1:9"))
    line = one_line(called("attribution", "-c", paper, "--reconcile"), 2)
    assert "mode is paper" in line
    state = str(live.parent / "state")
    line = one_line(called("attribution", "--state", state, "--reconcile"), 2)
    assert "give -c FILE" in line
    line = one_line(called("attribution", "--state", state, "--until", "2020-01-01T00:00:00Z"), 2)
    assert "no cycle of that time" in line
