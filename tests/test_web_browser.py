"""A real Chromium at the dashboard of a real engine beside a simulated exchange on sockets.

It takes a minute: engine, dashboard and browser are processes of their own, on wall time.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.journal.reader import JOURNAL_NAME, JournalReader
from tests.api_scene import free_port
from tests.e2e_scene import (
    LONGS,
    called,
    environment,
    paper_config,
    served_exchange,
    start,
    until,
    write_positions,
)
from tests.web_scene import HASH, PASSWORD

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists() and "CI" not in os.environ:
    pytest.skip(
        "the dashboard is tested with Chromium, which is not there", allow_module_level=True
    )
from playwright.sync_api import Browser, Error, Page, Route, sync_playwright  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning:playwright")


@dataclass
class Seen:
    """A logged-in page, and what its browser complained about."""

    page: Page
    base: str
    state: Path
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """To a page, until it is live."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector("#live-state.on", timeout=60_000)

    def newest(self) -> dict[str, Any]:
        """The journal's newest cycle."""
        with JournalReader.open_reader(self.state / JOURNAL_NAME) as journal:
            return journal.newest_cycle() or {"bot_gross_usd": None, "status": ""}

    def figure(self, where: str) -> str | None:
        """The exact figure that a part of the page carries."""
        return self.page.locator(f"{where} data").first.get_attribute("value")


@contextmanager
def engine(config: Path) -> Iterator[subprocess.Popen[str]]:
    """``perphedge run --web`` until the block ends."""
    env = environment({"PERPHEDGE_WEB_PASSWORD_HASH": HASH.text()})
    process = start("run", "-c", str(config), "--json", "--web", env=env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def seen(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder, port = tmp_path_factory.mktemp("browser"), free_port()
    with served_exchange() as exchange:
        config = paper_config(
            folder, exchange.host, (r"^autonomy: .*$", f"autonomy: approve\nweb: {{port: {port}}}")
        )
        write_positions(folder / "positions.json", LONGS)
        with engine(config):
            until(lambda: called("status", "-c", str(config), "--json").code == 0)
            state = folder / "state"
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            found = Seen(context.new_page(), f"http://127.0.0.1:{port}", state)
            watched(found)
            until(lambda: answers(found))
            log_in(found)
            yield found
            context.close()


def watched(seen: Seen) -> None:
    """Whatever the browser complains about, violations of the policy among it."""
    seen.page.on(
        "console",
        lambda said: (
            seen.complaints.append(said.text) if said.type in ("error", "warning") else None
        ),
    )
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))


def answers(seen: Seen) -> bool:
    """Whether the server is up; a browser's own error page does not count as a complaint."""
    try:
        seen.page.goto(f"{seen.base}/login")
    except Exception:  # noqa: BLE001 - whatever keeps it from there
        seen.complaints.clear()
        return False
    return True


def log_in(seen: Seen) -> None:
    seen.page.goto(f"{seen.base}/log")
    seen.page.fill("[name=name]", "ann")
    seen.page.fill("[name=password]", PASSWORD)
    seen.page.click("button.main")
    seen.page.wait_for_url(f"{seen.base}/log")


def test_figures_equal_the_journal_and_follow_it(seen: Seen) -> None:
    until(lambda: seen.newest()["bot_gross_usd"] is not None)
    seen.go("/")

    def equal() -> bool:
        """The page shows one cycle whole; the journal may be one ahead by now."""
        link = seen.page.locator("section.verdict a").first.get_attribute("href") or ""
        shown = {
            "bot_gross_usd": seen.figure("#bot-gross"),
            "hedge_gross_usd": seen.figure("#hedge-gross"),
            "volatility_after_daily_usd": seen.figure("#volatility"),
            "cae_after_usd": seen.figure("#cae"),
        }
        with JournalReader.open_reader(seen.state / JOURNAL_NAME) as journal:
            document = journal.cycle(link.rpartition("/")[2])
        assert document is not None
        return all(text == repr(document[name]) for name, text in shown.items())

    until(equal, 30)
    first = seen.page.locator("section.verdict a").first.get_attribute("href")
    seen.page.wait_for_function(
        "was => document.querySelector('section.verdict a').getAttribute('href') !== was",
        arg=first,
        timeout=60_000,
    )
    until(equal, 30)
    assert seen.complaints == []


def approvable(seen: Seen) -> bool:
    """Loads the page; a part with buttons is not refreshed by itself once it changes."""
    seen.go("/proposals")
    return seen.page.locator("button[value=approve]").count() > 0


def test_a_refresh_never_puts_another_proposal_under_the_pointer(seen: Seen) -> None:
    until(lambda: approvable(seen), 60)
    ids = "[...document.querySelectorAll('[data-proposal]')].map(one => one.dataset.proposal)"
    before = seen.page.evaluate(ids)

    def with_another(route: Route) -> None:
        """What the server answers, with each proposal grown into another."""
        if route.request.resource_type != "fetch":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(
            response=answer,
            body=re.sub(r'data-proposal="[^"]+"', 'data-proposal="9-abcdef"', answer.text()),
        )

    seen.page.route("**/proposals", with_another)
    seen.page.wait_for_selector("#changed", timeout=60_000)
    seen.page.unroute("**/proposals")
    assert before
    assert seen.page.evaluate(ids) == before
    assert seen.page.locator("[data-proposal] button:not([disabled])").count() == 0
    assert seen.complaints == []


def test_a_proposal_that_is_approved_on_the_page_is_carried_out(seen: Seen) -> None:
    def executed() -> list[Any]:
        with JournalReader.open_reader(seen.state / JOURNAL_NAME) as journal:
            return journal.events(kind="proposal_executed")

    # The market moves: an approval may meet a book that asks for something else.
    for _ in range(6):
        until(lambda: approvable(seen), 60)
        try:
            seen.page.fill("[name=reason] >> nth=0", "looks right", timeout=2_000)
            seen.page.click("button[value=approve] >> nth=0", timeout=2_000)
            seen.page.wait_for_selector(".banner:not(#changed)")
            until(lambda: bool(executed()), 10)
        except (AssertionError, Error):
            continue
        break
    (done, *_) = executed()
    assert done.document["by"] == "ann (dashboard)"
    with JournalReader.open_reader(seen.state / JOURNAL_NAME) as journal:
        assert any(journal.own_positions(one) for one in journal.accounts())
    seen.go("/proposals")
    seen.page.wait_for_selector(f"td:has-text('{done.document['proposal_id']}')")
    assert seen.complaints == []


def test_halt_and_resume(seen: Seen) -> None:
    seen.go("/controls")
    seen.page.fill("form:has(button[value=halt]) [name=reason]", "a test")
    seen.page.click("button[value=halt]")
    seen.page.wait_for_selector(".banner.bad:has-text('Halted')")
    until(lambda: seen.newest()["status"] == "halted")
    seen.go("/")
    assert "a test (ann (dashboard))" in seen.page.locator("#state").inner_text()
    seen.go("/controls")
    seen.page.fill("form:has(button[value=resume]) [name=reason]", "it is over")
    seen.page.fill("form:has(button[value=resume]) [name=password]", PASSWORD)
    seen.page.click("button[value=resume]")
    seen.page.wait_for_selector(".banner.good")
    until(lambda: seen.newest()["status"] != "halted")
    seen.page.wait_for_selector("#state .banner.bad", state="detached", timeout=60_000)
    with JournalReader.open_reader(seen.state / JOURNAL_NAME) as journal:
        (resumed, *_) = journal.events(kind="resumed")
    assert "ann (dashboard)" in json.dumps(resumed.document)
    assert seen.complaints == []


@pytest.mark.parametrize("path", ["/heatmap", "/crowding", "/log", "/explain/latest", "/controls"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_and_has_no_complaint(seen: Seen, path: str, width: int) -> None:
    seen.page.set_viewport_size({"width": width, "height": 844})
    seen.go(path)
    over = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, "no page is wider than the screen"
    assert seen.page.locator("main section").count() >= 1
    assert seen.complaints == []


def test_the_slider_and_the_window_change_the_picture(seen: Seen) -> None:
    seen.page.set_viewport_size({"width": 1280, "height": 900})
    seen.go("/heatmap")
    assert seen.page.locator("svg.heat rect.frame").count() >= 1
    before = seen.page.locator("svg.heat").inner_html()
    seen.page.select_option("#window", "7d")
    seen.page.wait_for_function(
        "was => document.querySelector('svg.heat').innerHTML !== was", arg=before
    )
    assert re.search(r"/heatmap\?hour=\d+&window=7d", seen.page.url)
    assert seen.complaints == []


def test_another_sites_form_changes_nothing(seen: Seen, browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        f"<form method=post action='{seen.base}/controls'><input name=action value=halt>"
        "<input name=reason value=x><button>go</button></form>"
    )
    page.click("button")
    page.wait_for_url(f"{seen.base}/controls")
    assert "Origin" in page.inner_text("body")
    assert not (seen.state / "HALT").exists()
    page.close()


def test_logging_out_ends_it_on_every_page(seen: Seen) -> None:
    other = seen.page.context.new_page()
    other.goto(f"{seen.base}/")
    seen.go("/")
    seen.page.click("text=Log out ann")
    seen.page.wait_for_url(f"{seen.base}/login")
    other.goto(f"{seen.base}/")
    assert other.url.startswith(f"{seen.base}/login")
    other.close()
