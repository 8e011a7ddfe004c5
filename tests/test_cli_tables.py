"""The terminal's tables fit, tell the truth, and take no orders from the data."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console, RenderableType
from rich.live import Live

from bot.cli import findings, records, tables
from tests.report_samples import sample_documents

DOCUMENTS = sample_documents(14)
RENDERINGS: dict[str, Callable[[], RenderableType]] = {
    "cycles": lambda: tables.cycle_table(DOCUMENTS),
    "book": lambda: tables.book_panel(DOCUMENTS[8]),
    "caps": lambda: tables.caps_table(DOCUMENTS[8]),
    "proposal": lambda: findings.proposal_table(DOCUMENTS[-1]),
    "orders": lambda: records.orders_table(DOCUMENTS),
    "log": lambda: records.log_table(DOCUMENTS),
}


def shown(renderable: RenderableType, width: int = 100) -> str:
    """As a terminal of this width shows it, without colours."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True, record=True)
    console.print(renderable)
    return console.export_text()


def line_with(text: str, found: str) -> str:
    return next(line for line in text.splitlines() if found in line)


@pytest.mark.parametrize("width", [120, 100, 80, 60])
@pytest.mark.parametrize("name", RENDERINGS)
def test_every_table_fits(name: str, width: int) -> None:
    text = shown(RENDERINGS[name](), width)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [120, 100, 80])
def test_no_figure_of_the_cycle_table_is_cut(width: int) -> None:
    lines = [
        line for line in shown(tables.cycle_table(DOCUMENTS), width).splitlines() if "→" in line
    ]
    for line in lines:
        head = line.split("account data")[0].split("price collar")[0]
        assert "…" not in head


def test_the_cycle_table_has_a_line_for_each_cycle_in_full() -> None:
    text = shown(tables.cycle_table(DOCUMENTS), 140)
    last = line_with(text, "03-03 04:00")
    for part in ("hedged", "73,600", "48,828", "3,689→1,649", "58,906/62,000", "6/6"):
        assert part in last
    assert "3→0" in line_with(text, "03-02 08:00")
    held = line_with(text, "03-02 04:00")
    assert "account data is 95 s old" in held
    assert "0" not in held.split("held")[1].split("account")[0]
    assert sum("2025" in line or "03-0" in line for line in text.splitlines()) == len(DOCUMENTS)


def test_narrow_terminals_keep_the_last_reason_below() -> None:
    text = shown(tables.cycle_table(DOCUMENTS[:8]), 80)
    assert "73.6k" not in text
    assert "64.4k" in text
    assert "account data is 95 s old" in text


def test_only_the_newest_are_kept_when_asked() -> None:
    text = shown(tables.cycle_table(DOCUMENTS, at_most=3))
    assert "03-02 20:00" in text
    assert "03-02 16:00" not in text


def test_an_empty_start_shows_a_head() -> None:
    assert "Time UTC" in shown(tables.cycle_table([]), 80)


def test_the_table_can_be_live() -> None:
    screen = io.StringIO()
    console = Console(width=100, file=screen, force_terminal=True)
    with Live(tables.cycle_table([]), console=console, auto_refresh=False) as live:
        for count in range(1, 4):
            live.update(tables.cycle_table(DOCUMENTS[:count]), refresh=True)
    assert "03-01 08:00" in screen.getvalue()


def test_the_book_tells_each_side() -> None:
    text = shown(tables.book_panel(DOCUMENTS[8]))
    assert "+23,920" in line_with(text, "● WLD")
    assert "−19,660" in line_with(text, "▼ BTC")
    assert "No position" in shown(tables.book_panel(DOCUMENTS[7]))


def test_caps_show_use_value_and_limit() -> None:
    text = shown(tables.caps_table(DOCUMENTS[8]))
    line = line_with(text, "net exposure")
    assert "57 %" in line
    assert "105 %" in line
    assert "28,000 USD" in line
    assert "No cap is set." in shown(tables.caps_table({}))


@pytest.mark.parametrize(
    ("share", "over", "full"),
    [(None, False, 0), (0.0, False, 0), (1.0, False, 13), (9.0, True, 15)],
)
def test_bars_are_as_long_as_their_share(share: float | None, over: bool, full: int) -> None:
    bar = tables.use_bar(share, over=over)
    assert len(bar.plain) == 16
    assert bar.plain.count("│") == 1
    assert bar.plain.count("█") == full


def test_a_proposal_tells_trades_and_cost() -> None:
    text = shown(findings.proposal_table(DOCUMENTS[-1]))
    assert "Short 6 tokens" in text
    assert "6.20 + 2.10 + 0.70 = 9.00 USD" in text
    assert "3.40 USD received a day" in text
    assert "account data is 95 s old" in shown(findings.proposal_table(DOCUMENTS[7]))


def test_status_tells_hedges_and_the_last_cycle() -> None:
    last = {"cycle_id": "c7", "status": "no_hedge", "reason": "every cap holds"}
    document = {
        "state_dir": "/state",
        "running_process": 7,
        "starts": 1,
        "cycles": 3,
        "hedges_base": {"hedge BTC/USDT:USDT": "-0.092"},
        "last_cycle": last | {"bot_gross_usd": 60_123.4, "volatility_after_daily_usd": None},
    }
    text = shown(records.engine_status(document))
    for part in ("yes, process 7", "once", "-0.092", "no hedge needed", "60,123 USD", "–"):
        assert part in text
    idle = shown(records.engine_status({"state_dir": "/state", "halted": "by hand"}))
    assert "by hand" in idle
    assert "No hedge is held." in idle


def test_check_tells_what_is_left_to_hedge_with() -> None:
    document = {
        "mode": "paper",
        "autonomy": "propose",
        "exchange": "binanceusdm",
        "account": "hedge",
        "equity_usd": 60_000.0,
        "sources": {"manual": "answers"},
        "bot_symbols": ["FET/USDT:USDT"],
        "symbols": [],
        "caps": {"net_usd": 20_000.0, "token_usd": None, "turnover_daily_usd": 1000.0},
        "cap_use": {"net_usd": 1.2},
        "hedgeable": [],
        "excluded": {"AKT/USDT:USDT": "volume below the floor"},
        "breaches": ["net_usd"],
    }
    text = shown(findings.check_tables(document))
    assert "120 %" in line_with(text, "net exposure")
    assert "turnover in 24 h up to 1,000 USD" in text
    assert "volume below the floor" in line_with(text, "AKT")
    assert "No symbol is left to hedge with." in text


def test_a_proposal_shows_the_caps_as_they_would_be() -> None:
    document = dict(DOCUMENTS[8]) | {
        "cap_use_before": {"net_usd": 1.05},
        "cap_use_after": {"net_usd": 1.05},
        "proposal": {"expected_cap_use": {"net_usd": 0.41}},
    }
    line = line_with(shown(tables.planned_caps_table(document)), "net exposure")
    assert line.index("41 %") < line.index("105 %")
    assert "If done" not in shown(tables.planned_caps_table(DOCUMENTS[8] | {"proposal": None}))


def test_the_standing_compares_the_bot_alone_with_the_whole() -> None:
    text = shown(tables.standing_table(DOCUMENTS[8]), 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Bot alone" in text
    assert "With hedges" in text
    assert "not measured" in shown(tables.standing_table({}))


def test_the_log_shows_cycles_and_events() -> None:
    stamp = {"timestamp": "2025-03-02T00:00:00Z", "cycle_id": "c1"}
    started = stamp | {"event": "recovered", "epoch": 3, "unresolved": []}
    order = stamp | {
        "event": "order_rejected",
        "symbol": "FET/USDT:USDT",
        "side": "sell",
        "quantity": "12",
        "limit_price": "1.21",
        "filled_quantity": "0",
        "code": "-2019",
        "reason": "margin is insufficient",
    }
    text = shown(records.log_table([DOCUMENTS[7], started, order]))
    assert "account data is 95 s old" in text
    assert "epoch=3" in line_with(text, "recovered")
    assert "unresolved" not in text
    told = "sell 12 FET at 1.21: -2019 margin is insufficient"
    assert told in line_with(text, "order rejected")
    assert "Time UTC" not in shown(records.log_table([started], head=False))
    assert "Nothing recorded." in shown(records.log_table([]))


def test_markup_and_control_characters_stay_text() -> None:
    evil = "[bold red]x[/] \x1b[2J\x07[link=file:///etc]"
    hostile: Any = json.loads(json.dumps(DOCUMENTS[8]).replace("RENDER", "[red]R[/red]"))
    hostile |= {"reason": evil, "cycle_id": evil, "excluded": {evil: evil}}
    hostile["proposal"]["sentence"] = evil
    for build in (findings.proposal_table, tables.book_panel):
        text = shown(build(hostile), 160)
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "[red]R[/red]" in shown(tables.book_panel(hostile), 160)
    assert "[bold red]x[/]" in shown(tables.cycle_table([hostile]), 160)
    assert "[bold red]x[/]" in shown(records.log_table([hostile]), 160)
