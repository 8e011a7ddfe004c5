"""The terminal's tables fit, tell the truth, and take no orders from the data."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console, RenderableType
from rich.live import Live

from bot.cli import tables
from tests.report_samples import sample_documents

DOCUMENTS = sample_documents(14)
RENDERINGS: dict[str, Callable[[], RenderableType]] = {
    "cycles": lambda: tables.cycle_table(DOCUMENTS),
    "book": lambda: tables.book_panel(DOCUMENTS[8]),
    "caps": lambda: tables.caps_table(DOCUMENTS[8]),
    "risk": lambda: tables.risk_tables(DOCUMENTS[8]),
    "proposal": lambda: tables.proposal_table(DOCUMENTS[-1]),
    "orders": lambda: tables.orders_table(DOCUMENTS),
    "log": lambda: tables.log_table(DOCUMENTS),
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


def test_risk_tells_breaches_pairs_and_what_is_left_out() -> None:
    text = shown(tables.risk_tables(DOCUMENTS[8]))
    assert "3 over their cap" in text
    assert "net exposure 29,354 USD over 28,000 USD (105 %)" in text
    assert "RENDER and ICP" in text
    assert "listed 9 days ago" in text


def test_a_proposal_tells_trades_and_cost() -> None:
    text = shown(tables.proposal_table(DOCUMENTS[-1]))
    assert "Short 6 tokens" in text
    assert "6.20 + 2.10 + 0.70 = 9.00 USD" in text
    assert "3.40 USD received a day" in text
    assert "account data is 95 s old" in shown(tables.proposal_table(DOCUMENTS[7]))


def test_status_reads_units_and_nests() -> None:
    text = shown(tables.status_table({"equity_usd": 60_123.4, "lock": {"pid": 7}, "halted": True}))
    assert "60,123 USD" in text
    assert "pid" in text
    assert "yes" in text


def test_the_log_shows_cycles_and_events() -> None:
    event = {"timestamp": "2025-03-02T00:00:00Z", "event": "order_filled", "cycle_id": "c1", "n": 3}
    text = shown(tables.log_table([DOCUMENTS[7], event]))
    assert "account data is 95 s old" in text
    assert "order_filled" in text
    assert "n=3" in text
    assert "Nothing recorded." in shown(tables.log_table([]))


def test_markup_and_control_characters_stay_text() -> None:
    evil = "[bold red]x[/] \x1b[2J\x07[link=file:///etc]"
    hostile: Any = json.loads(json.dumps(DOCUMENTS[8]).replace("RENDER", "[red]R[/red]"))
    hostile |= {"reason": evil, "cycle_id": evil, "excluded": {evil: evil}}
    hostile["proposal"]["sentence"] = evil
    for build in (tables.risk_tables, tables.proposal_table, tables.book_panel):
        text = shown(build(hostile), 160)
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "[red]R[/red]" in shown(tables.book_panel(hostile), 160)
    assert "[bold red]x[/]" in shown(tables.cycle_table([hostile]), 160)
    assert "[bold red]x[/]" in shown(tables.log_table([hostile]), 160)
