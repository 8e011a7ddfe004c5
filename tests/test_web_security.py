"""Who gets into the dashboard, and what it refuses, over HTTP as a browser speaks it."""

import re
from pathlib import Path

import httpx
import pytest

from bot.clock import SystemClock
from bot.controls.guard import Guard
from bot.errors import SafetyError
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from bot.requests import FLATTEN_NAME, RESUME_NAME, Asked, waiting, waiting_acknowledgements
from bot.web import deeds
from bot.web.app import MENU, Pages
from bot.web.sessions import Attempts, Sessions
from tests.web_scene import EVIL, HASH, ORIGIN, PASSWORD, Browser, settings_of, written

PAGES = [path for path, _ in MENU]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that no test changes."""
    state = tmp_path_factory.mktemp("web") / "state"
    written(state)
    return state


@pytest.fixture
def state(tmp_path: Path) -> Path:
    written(tmp_path / "state")
    return tmp_path / "state"


@pytest.mark.parametrize("path", [*PAGES, "/explain/1", "/events"])
async def test_nothing_is_shown_without_a_login(kept: Path, path: str) -> None:
    browser = Browser(settings_of(kept))
    led = await browser.get(path)
    assert led.status_code == 303
    assert led.headers["location"].startswith("/login?next=")
    read = await browser.get(path, **{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"})
    assert read.status_code == 401
    assert "12,345" not in led.text + read.text


@pytest.mark.parametrize("path", [*PAGES, "/explain/1", "/login", "/decide?token=x", "/none"])
async def test_every_answer_carries_the_headers(kept: Path, path: str) -> None:
    browser = Browser(settings_of(kept))
    assert (await browser.log_in()).status_code == 303
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    found = re.search(r"<script(?! src=\"/static/)|<style|<[^>]*\s(style|on\w+)=", answer.text)
    assert found is None
    assert "://" not in answer.text, "nothing is loaded from elsewhere"


@pytest.mark.parametrize("path", ["/", "/login", "/static/pages.css", "/alive"])
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:8845", "localhost.evil:8844"]
)
async def test_a_host_that_is_not_ours_is_refused(kept: Path, path: str, host: str) -> None:
    answer = await Browser(settings_of(kept)).get(path, Host=host)
    assert answer.status_code == 421


async def test_addresses_of_the_owner_are_answered(kept: Path) -> None:
    settings = settings_of(kept, allowed_origins=["https://hedge.example"])
    browser = Browser(settings)
    assert (await browser.get("/login", Host="hedge.example")).status_code == 200
    assert (await browser.get("/login", Host="hedge.example.evil")).status_code == 421


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1:8844", ORIGIN + ".evil"]
)
async def test_a_foreign_origin_changes_nothing(state: Path, origin: str | None) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {"form_token": await browser.token("/controls"), "action": "halt", "reason": "x"}
    assert (await browser.post("/controls", form, origin=origin)).status_code == 403
    site = {"Sec-Fetch-Site": "cross-site"}
    assert (await browser.post("/controls", form, **site)).status_code == 403
    assert HaltSwitch(state).reason is None
    assert (await browser.post("/controls", form)).status_code == 303
    assert HaltSwitch(state).reason == "x (ann (dashboard))"


async def test_another_site_may_not_read(kept: Path) -> None:
    browser = Browser(settings_of(kept))
    await browser.log_in()
    read = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert (await browser.get("/", **read)).status_code == 403
    assert (await browser.get("/", Origin="http://evil.example")).status_code == 403


@pytest.mark.parametrize("token", [None, "", "wrong", "é" * 10])
async def test_a_form_without_its_token_changes_nothing(state: Path, token: str | None) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {"action": "halt", "reason": "x"} | ({} if token is None else {"form_token": token})
    assert (await browser.post("/controls", form)).status_code == 403
    assert (await browser.post("/logout", form)).status_code == 403
    assert HaltSwitch(state).reason is None
    assert (await browser.get("/")).status_code == 200, "still logged in"


async def test_a_token_of_another_login_is_refused(state: Path) -> None:
    settings = settings_of(state)
    one, other = Browser(settings), Browser(settings)
    await one.log_in()
    other.client.cookies.clear()
    foreign = await other.token("/login")
    assert (await one.post("/controls", {"form_token": foreign})).status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_changes(state: Path, method: str) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    token = await browser.token("/controls")
    before = sorted(one.name for one in state.iterdir())
    query = f"action=halt&reason=x&form_token={token}&proposal_id=1-aaaaaa"
    for path in ("/controls", "/proposals", "/logout", "/decide"):
        await browser.client.request(method, f"{path}?{query}", headers={"Origin": ORIGIN})
    assert sorted(one.name for one in state.iterdir()) == before
    assert (await browser.get("/")).status_code == 200, "still logged in"


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
async def test_only_plain_forms_are_read(kept: Path, kind: str) -> None:
    browser = Browser(settings_of(kept))
    headers = {"Origin": ORIGIN, "Content-Type": kind}
    answer = await browser.client.post("/login", content=b"{}", headers=headers)
    assert answer.status_code == 415
    long = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
    assert (
        await browser.client.post("/login", content=b"a=" + b"x" * 20_000, headers=long)
    ).status_code == 413


async def test_wrong_passwords_are_slowed_down(kept: Path) -> None:
    browser = Browser(settings_of(kept))
    codes = [(await browser.log_in("not the password")).status_code for _ in range(4)]
    assert codes == [403, 403, 403, 429]
    late = await browser.log_in(PASSWORD)
    assert late.status_code == 429, "nor is the right one looked at meanwhile"
    assert int(late.headers["retry-after"]) >= 1
    assert "session" not in " ".join(late.headers.get_list("set-cookie"))


async def test_cookies_are_renewed_at_login_and_end_with_logout(kept: Path) -> None:
    browser = Browser(settings_of(kept))
    await browser.get("/login")
    done = await browser.log_in()
    cookie = done.headers["set-cookie"]
    assert "; HttpOnly; SameSite=Strict" in cookie
    assert "; Path=/" in cookie
    old = cookie.partition(";")[0]
    token = await browser.token("/controls")
    assert (await browser.post("/logout", {"form_token": token})).status_code == 303
    browser.client.cookies.clear()
    assert (await browser.get("/", Cookie=old)).status_code == 303, "worth nothing any more"


async def test_who_comes_from_a_mail_logged_in_already_can_send_the_form(state: Path) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    session = browser.client.cookies["perphedge-session"]
    browser.client.cookies.clear()  # SameSite=Strict: a click in a mail brings no cookie
    form = {"form_token": await browser.token("/login"), "name": "ben", "password": PASSWORD}
    browser.client.cookies.set("perphedge-session", session, domain="127.0.0.1")
    refused = await browser.post("/controls", {**form, "action": "halt", "reason": "x"})
    assert refused.status_code == 403, "elsewhere only the token of the login counts"
    assert (await browser.post("/decide", {**form, "token": "x"})).status_code == 409
    assert (await browser.post("/login", form)).status_code == 303
    browser.client.cookies.delete("perphedge-form")
    assert (await browser.post("/login", form)).status_code == 403, "nor without its cookie"


async def test_behind_a_proxy_with_tls_cookies_travel_by_tls_alone(kept: Path) -> None:
    browser = Browser(settings_of(kept, allowed_origins=["https://hedge.example:443"]))
    browser.client.base_url = httpx.URL("https://hedge.example")
    page = await browser.get("/login")
    assert page.headers["strict-transport-security"] == "max-age=2592000"
    assert page.headers["set-cookie"].startswith("__Host-perphedge-form=")
    form = {"form_token": await browser.token("/login"), "name": "ann", "password": PASSWORD}
    done = await browser.post("/login", form, origin="https://hedge.example")
    assert done.headers["set-cookie"].startswith("__Host-perphedge-session=")
    assert "; Secure" in done.headers["set-cookie"]
    assert (await browser.get("/log")).status_code == 200
    browser.client.base_url = httpx.URL(ORIGIN)
    plain = await browser.get("/login")
    assert "strict-transport-security" not in plain.headers
    assert "Secure" not in plain.headers["set-cookie"]


async def test_nobody_is_led_elsewhere_after_the_login(kept: Path) -> None:
    for place in ("https://evil.example", "//evil.example", "/\\evil.example", "/logout"):
        done = await Browser(settings_of(kept)).log_in(next=place)
        assert done.headers["location"] == "/"
    done = await Browser(settings_of(kept)).log_in(next="/log")
    assert done.headers["location"] == "/log"


async def test_resume_asks_for_the_password_and_an_engine(state: Path) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {"form_token": await browser.token("/controls"), "action": "resume", "reason": "fine"}
    for password in ("", "wrong"):
        told = await browser.told("/controls", {**form, "password": password})
        assert "Not done. that is not the password" in told
    assert "no engine runs" in await browser.told("/controls", {**form, "password": PASSWORD})
    assert waiting(state, RESUME_NAME) is None
    answer = await browser.post("/controls", {**form, "password": PASSWORD})
    assert "set-cookie" in answer.headers, "a new cookie for who has shown the password"


async def test_a_post_is_answered_with_the_page_anew_which_says_once_what_became_of_it(
    state: Path,
) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {"form_token": await browser.token("/controls"), "action": "halt", "reason": "x"}
    assert (await browser.post("/controls", form)).status_code == 303
    fetched = await browser.get("/controls", **{"Sec-Fetch-Mode": "cors"})
    assert "✓</strong> Halted." not in fetched.text, "a refresh takes it from nobody"
    assert "✓</strong> Halted." in await browser.text("/controls")
    assert "✓</strong> Halted." not in await browser.text("/controls")
    form = {"form_token": form["form_token"], "proposal_id": "1-aaaaaa", "action": "approve"}
    assert "proposal 1-aaaaaa: there is none" in await browser.told("/proposals", form)


async def test_a_resume_lifts_only_halts_that_the_page_showed(state: Path) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {
        "form_token": await browser.token("/controls"),
        "action": "resume",
        "reason": "fine",
        "password": PASSWORD,
    }
    with EngineLock(state):
        HaltSwitch(state).trip("news")
        old = {**form, "halts": await browser.hidden("/controls", "halts")}
        _halted(state, "kill_switch", "news")
        assert await browser.hidden("/controls", "halts") == old["halts"], "still the same halt"
        _halted(state, "drawdown", "lost 9 %", symbol="FET/USDT:USDT")
        for stale in (form, old):
            assert "has changed" in await browser.told("/controls", stale)
            assert waiting(state, RESUME_NAME) is None
        shown = {**form, "halts": await browser.hidden("/controls", "halts")}
        assert len(shown["halts"].split(",")) == 2
        assert "Asked: the engine lifts" in await browser.told("/controls", shown)
    assert waiting(state, RESUME_NAME) == Asked("ann (dashboard)", "fine")


def _halted(state: Path, control: str, reason: str, *, symbol: str = "") -> None:
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        guard = Guard(journal, SystemClock(), "hedge", switch=None)
        if symbol:
            guard.halt_symbol(control, symbol, reason)
        else:
            guard.halt_all(control, reason)


async def test_hedges_are_closed_only_with_the_password_and_the_halt_needs_none(
    state: Path,
) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    form = {"form_token": await browser.token("/controls"), "action": "halt", "reason": "x"}
    form["flatten"] = "yes"
    told = await browser.told("/controls", {**form, "password": "wrong"})
    assert "hedges are not closed: that is not the password. Halted." in told
    assert HaltSwitch(state).reason == "x (ann (dashboard))"
    assert waiting(state, FLATTEN_NAME) is None
    told = await browser.told("/controls", {**form, "password": PASSWORD})
    assert "One that starts there closes our own hedges." in told
    with EngineLock(state):
        told = await browser.told("/controls", {**form, "password": PASSWORD})
    assert "the running engine cancels its open orders. It closes our own hedges." in told
    assert waiting(state, FLATTEN_NAME) == Asked("ann (dashboard)", "x")


async def test_a_halt_tells_of_each_step_that_failed_and_takes_the_others(tmp_path: Path) -> None:
    (tmp_path / FLATTEN_NAME).mkdir()
    (tmp_path / RESUME_NAME).mkdir()
    with pytest.raises(SafetyError) as told:
        deeds.halt(tmp_path, Asked("ann", "x"), flatten=True)
    for words in (
        "hedges are not closed: ",
        "a resume still waits: ",
        "Halted. But no engine runs",
    ):
        assert words in str(told.value)
    assert HaltSwitch(tmp_path).reason == "x (ann)"


async def test_only_alerts_that_the_page_showed_are_acknowledged(state: Path) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    _alerted(state, "FET/USDT:USDT")
    shown = await browser.hidden("/controls", "alerts")
    _alerted(state, "NEAR/USDT:USDT")
    form = {"form_token": await browser.token("/controls"), "action": "acknowledge"}
    form |= {"reason": "seen"}
    with EngineLock(state):
        for wrong in ("", "../../x", "ABCDEF", f"{shown},x"):
            told = await browser.told("/controls", {**form, "alerts": wrong})
            assert "the ids of those that the page showed" in told
        assert waiting_acknowledgements(state) == {}
        await browser.told("/controls", {**form, "alerts": shown})
    assert waiting_acknowledgements(state) == {shown: Asked("ann (dashboard)", "seen")}


def _alerted(state: Path, symbol: str) -> None:
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        Guard(journal, SystemClock(), "hedge", switch=None).alert("drawdown", symbol, "lost")


@pytest.mark.parametrize("path", [*PAGES, "/explain/1", "/heatmap?window=model"])
async def test_a_script_in_a_name_stays_text(kept: Path, path: str) -> None:
    browser = Browser(settings_of(kept))
    await browser.log_in()
    text = (await browser.get(path)).text
    assert "<script>alert" not in text
    assert "<img" not in text
    if path in ("/", "/heatmap", "/crowding"):
        assert EVIL.partition("/USDT")[0].replace("<", "&lt;").replace(">", "&gt;") in text


@pytest.mark.parametrize(
    "query", ["event=<script>x</script>", "symbol=<b>&severity=none", "until_ms=-1"]
)
async def test_what_is_asked_for_is_told_as_text(kept: Path, query: str) -> None:
    browser = Browser(settings_of(kept))
    await browser.log_in()
    answer = await browser.get(f"/log?{query}")
    assert answer.status_code in (404, 409, 422)
    assert "<script>x" not in answer.text


async def test_figures_are_those_of_the_journal_to_the_digit(state: Path) -> None:
    browser = Browser(settings_of(state))
    await browser.log_in()
    text = (await browser.get("/")).text
    shown = set(re.findall(r'<data class="n" value="([^"]+)">', text))
    assert {"12345.6789", "4321.0987", "512.3456", "8765.4321", "60000.5", "0.617283"} <= shown
    assert ">12,345.68<" in text
    heat = (await browser.get("/heatmap?window=30d")).text
    assert "FET and NEAR: not known" in heat
    assert "FET: 0.50" in heat
    assert 'class="frame"' in heat


async def test_the_switch_works_without_a_journal(tmp_path: Path) -> None:
    state = tmp_path / "empty"
    state.mkdir()
    browser = Browser(settings_of(state))
    await browser.log_in()
    assert (await browser.get("/")).status_code == 404
    token = await browser.token("/controls")
    form = {"form_token": token, "action": "halt", "reason": "by hand"}
    told = await browser.told("/controls", form)
    assert "Halted. But no engine runs in the state directory empty" in told
    assert HaltSwitch(state).reason == "by hand (ann (dashboard))"
    assert "No engine runs." in await browser.text("/controls"), "beside that it is halted"


@pytest.mark.parametrize("damage", ["key", "folder"])
async def test_a_visitor_is_not_told_where_files_are(state: Path, damage: str) -> None:
    settings = settings_of(state)
    approval = settings.approval.model_copy(update={"link_url": "https://hedge.example"})
    browser = Browser(settings.model_copy(update={"approval": approval}))
    form = {"form_token": await browser.token("/login"), "token": "1.1-aaaaaa.approve.1.x"}
    if damage == "key":
        (state / "approval.key").write_text("short")
        (state / "approval.key").chmod(0o644)
    else:
        (state / "approval.key").mkdir(mode=0o700)
    shown = await browser.get("/decide?token=1.1-aaaaaa.approve.1.x")
    sent = await browser.post("/decide", form)
    assert (shown.status_code, sent.status_code) == (403, 409)
    for answer in (shown, sent):
        assert "The records cannot be read now" in answer.text
        assert str(state) not in answer.text


def test_a_password_that_nobody_looked_at_is_not_counted_as_wrong(state: Path) -> None:
    inside = Pages(
        state_dir=state,
        settings=settings_of(state),
        now_ms=SystemClock().now_ms,
        sessions=Sessions(lambda: 0.0, 1.0, 1.0),
        attempts=Attempts(lambda: 0.0),
        password=HASH,
        title="paper",
    )
    for _ in range(3):
        assert not inside.admits("a", "wrong")
    assert inside.attempts.wait_s("a") == 2
    assert not inside.admits("a", PASSWORD), "as one that came beside the third"
    assert inside.attempts.wait_s("a") == 2


async def test_links_are_not_served_unless_the_owner_wants_them(state: Path) -> None:
    browser = Browser(settings_of(state))
    answer = await browser.get("/decide?token=1.1-aaaaaa.approve.1.x")
    assert answer.status_code == 403
    assert "approval.link_url" in answer.text
