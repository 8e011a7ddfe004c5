"""The live table fits the terminal it is on, and elsewhere a cycle is a line."""

import io

import pytest
from rich.console import Console

from bot.cli.live import LiveCycles
from bot.feeds.live_bars import Progress
from tests.report_samples import sample_documents

DOCUMENTS = sample_documents(14)


def drawn(width: int, height: int, shown: int) -> list[str]:
    """The lines of the last drawing after so many cycles."""
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True)
    live = LiveCycles(console, title="A title.")
    for document in DOCUMENTS[:shown]:
        live.show(document)
    plain = Console(width=width, height=height, file=io.StringIO())
    plain.print(live._drawing())
    assert isinstance(plain.file, io.StringIO)
    return plain.file.getvalue().splitlines()


@pytest.mark.parametrize("shown", [1, 9, 14])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 40), (120, 60)])
def test_it_fits_the_terminal(width: int, height: int, shown: int) -> None:
    lines = drawn(width, height, shown)
    assert len(lines) < height
    assert max(len(line) for line in lines) <= width
    assert "With hedges" in "\n".join(lines) or "not measured" in "\n".join(lines)


def test_a_tall_terminal_shows_everything_and_a_short_one_the_cycles() -> None:
    tall, short = "\n".join(drawn(120, 60, 14)), "\n".join(drawn(80, 24, 14))
    for part in ("▼ BTC", "Risk/day", "correlation-adjusted exposure", "Over: caps exceeded"):
        assert part in tall
    assert "Risk/day" not in short
    assert "03-03 04:00" in short


def test_the_plan_and_the_wait_are_shown_until_the_first_cycle() -> None:
    screen = io.StringIO()
    console = Console(width=80, height=24, file=screen, force_terminal=True)
    with LiveCycles(console, title="A title.") as live:
        live.introduce("the bot buys FET")
        live.backfill(Progress("FET/USDT:USDT", 500, 1000))
        assert "the bot buys FET" in screen.getvalue()
        assert "reading history, FET: 50 % of 1,000 hours" in screen.getvalue()
        live.show(DOCUMENTS[0])
    assert "the bot buys FET" not in screen.getvalue().rsplit("A title.", 1)[1]


def test_elsewhere_a_cycle_is_a_line() -> None:
    out = io.StringIO()
    with LiveCycles(Console(file=out, width=80), title="A title.") as live:
        live.note("loading …")
        for document in DOCUMENTS[:8]:
            live.show(document)
    assert len(out.getvalue().splitlines()) == 8
    assert "account data is 95 s old" in out.getvalue()
