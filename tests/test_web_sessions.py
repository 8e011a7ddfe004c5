"""Logins and waits by a clock of the test's own, and the hash of a password."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.errors import UsageError
from bot.web.password import PasswordHash, hashed, write_hash
from bot.web.sessions import MOST_SESSIONS, ROTATE_AFTER_S, Attempts, Sessions
from config.errors import ConfigError


class Hand:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_login_ends_by_idleness_and_by_time() -> None:
    clock = Hand()
    sessions = Sessions(clock, longest_s=1_000.0, idle_s=300.0)
    cookie = sessions.begin("ann")
    for _ in range(4):
        clock.now_s += 240
        assert sessions.find(cookie) is not None
    clock.now_s += 40
    assert sessions.find(cookie) is None, "used all the time, but too old"
    other = sessions.begin("ben")
    clock.now_s += 300
    assert sessions.find(other) is None
    assert sessions.find("") is None


def test_a_renewed_cookie_ends_the_old_one_and_no_login_lasts_longer_for_it() -> None:
    clock = Hand()
    sessions = Sessions(clock, longest_s=2_000.0, idle_s=10_000.0)
    old = sessions.begin("ann")
    session = sessions.find(old)
    assert session is not None
    assert not sessions.due(session)
    clock.now_s += ROTATE_AFTER_S
    assert sessions.due(session)
    new = sessions.renew(session)
    assert not sessions.due(session)
    assert sessions.find(old) is sessions.find(new) is session, "what is under way still counts"
    clock.now_s += 31
    assert sessions.find(old) is None
    assert sessions.find(new) is session
    clock.now_s = 3_000.0
    assert sessions.find(new) is None
    assert not sessions.holds(session)


def test_logout_ends_every_cookie_of_a_login_and_no_other_login() -> None:
    sessions = Sessions(Hand(), 1_000.0, 1_000.0)
    one, other = sessions.begin("ann"), sessions.begin("ben")
    session = sessions.find(one)
    assert session is not None
    renewed = sessions.renew(session)
    sessions.end(session)
    assert sessions.find(one) is None
    assert sessions.find(renewed) is None
    assert sessions.find(other) is not None


def test_what_was_logged_out_beside_a_renewal_stays_logged_out() -> None:
    clock = Hand()
    sessions = Sessions(clock, 10_000.0, 100.0)
    session = sessions.find(sessions.begin("ann"))
    assert session is not None
    sessions.end(session)
    assert sessions.renew(session) == ""
    assert not sessions.holds(session)
    idle = sessions.find(sessions.begin("ben"))
    assert idle is not None
    clock.now_s += 101
    assert sessions.renew(idle) == ""


def test_renewals_beside_logouts_revive_nobody() -> None:
    sessions = Sessions(Hand(), 10_000.0, 10_000.0)
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(300):
                session = sessions.find(sessions.begin("ann"))
                assert session is not None
                renewing = pool.submit(sessions.renew, session)
                pool.submit(sessions.end, session).result()
                cookie = renewing.result()
                assert sessions.find(cookie) is None
                assert not sessions.holds(session)
    finally:
        sys.setswitchinterval(was)


def test_logins_may_begin_and_end_on_several_threads() -> None:
    sessions = Sessions(Hand(), 10_000.0, 10_000.0)

    def come_and_go(_: int) -> None:
        for _ in range(300):
            session = sessions.find(sessions.begin("ann"))
            if session is not None:
                sessions.renew(session)
                sessions.end(session)

    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(come_and_go, range(4)))
    finally:
        sys.setswitchinterval(was)
    assert sessions.find(sessions.begin("ben")) is not None


def test_so_many_logins_at_most() -> None:
    clock = Hand()
    sessions = Sessions(clock, 10_000.0, 10_000.0)
    cookies = []
    for _ in range(MOST_SESSIONS + 1):
        cookies.append(sessions.begin("ann"))
        clock.now_s += 1
    assert sessions.find(cookies[0]) is None, "the one that was used least lately"
    assert all(sessions.find(one) is not None for one in cookies[1:])


def test_waits_double_and_end() -> None:
    clock = Hand()
    attempts = Attempts(clock)
    waits = []
    for _ in range(12):
        attempts.failed("a")
        waits.append(attempts.wait_s("a"))
    assert waits == [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert attempts.wait_s("b") == 0, "another address does not wait"
    clock.now_s += 299
    assert attempts.wait_s("a") == 1
    clock.now_s += 1
    assert attempts.wait_s("a") == 0
    attempts.succeeded("a")
    attempts.failed("a")
    assert attempts.wait_s("a") == 0


def test_a_hash_knows_its_password_alone(tmp_path: Path) -> None:
    one = hashed("correct horse")
    assert one.matches("correct horse")
    assert not one.matches("correct horsf")
    assert not one.matches("")
    assert PasswordHash.of(one.text()) == one
    assert hashed("correct horse").digest != one.digest, "salted"
    assert "correct" not in one.text()
    write_hash(tmp_path / "hash", one)
    assert stat.S_IMODE((tmp_path / "hash").stat().st_mode) == 0o600


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(UsageError, match="from 12 to 256"):
        hashed(password)


@pytest.mark.parametrize(
    "text",
    ["", "plain password", "scrypt:1024:8:1:AAAA:AAAA", "scrypt:32768:8:1:!!:AAAA", "a:b:c:d:e:f"],
)
def test_what_is_no_hash_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.password_hash_file: \(not shown\)"):
        PasswordHash.of(text)
