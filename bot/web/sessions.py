"""Who is logged in, and who tries to: sessions in memory, and waits after wrong passwords. Pure."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock

MOST_SESSIONS = 64
ROTATE_AFTER_S = 900.0
_GRACE_S = 30.0
"""A request that was under way when its cookie was renewed still brings the old one."""
_FREE_FAILURES = 3
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 300.0
_FORGOTTEN_AFTER_S = 3_600.0
_MOST_PEERS = 1_000


@dataclass(slots=True)
class Session:
    """One login.

    Attributes:
        form_token: what every form of this login must bring back.
        name: who it says it is, for the records.
        begun_s, seen_s, renewed_s: by a clock that only goes forward.
        told: what became of its last POST by page, and whether it was done; shown once.
    """

    form_token: str
    name: str
    begun_s: float
    seen_s: float
    renewed_s: float
    ends_s: dict[bytes, float] = field(default_factory=dict)
    told: dict[str, tuple[bool, str]] = field(default_factory=dict)


class Sessions:
    """Cookies are kept as digests only, and lose their worth by time, idleness and logout.

    Routes run on threads and the door beside them: each method takes its turn.
    """

    def __init__(self, now_s: Callable[[], float], longest_s: float, idle_s: float) -> None:
        self._now_s = now_s
        self._longest_s = longest_s
        self._idle_s = idle_s
        self._by_digest: dict[bytes, Session] = {}
        self._turn = RLock()

    def begin(self, name: str) -> str:
        """A new login; its cookie."""
        with self._turn:
            self._forget()
            while len(self._everyone()) >= MOST_SESSIONS:
                self.end(min(self._everyone(), key=lambda one: one.seen_s))
            now_s = self._now_s()
            session = Session(secrets.token_urlsafe(32), name, now_s, now_s, now_s)
            return self._cookie(session)

    def find(self, cookie: str) -> Session | None:
        """The login of a cookie that still holds."""
        with self._turn:
            self._forget()
            session = self._by_digest.get(_digest(cookie))
            if session is not None:
                session.seen_s = self._now_s()
            return session

    def holds(self, session: Session) -> bool:
        """Whether a login has not ended meanwhile; asking does not keep it alive."""
        with self._turn:
            self._forget()
            return any(one is session for one in self._by_digest.values())

    def due(self, session: Session) -> bool:
        """Whether its cookie is old enough to be renewed."""
        return self._now_s() - session.renewed_s >= ROTATE_AFTER_S

    def renew(self, session: Session) -> str:
        """A new cookie; those before it end at once, but for requests that are under way.

        Empty where the login has ended meanwhile: a logout beside it must not be undone.
        """
        with self._turn:
            if not self.holds(session):
                return ""
            end_s = self._now_s() + _GRACE_S
            session.ends_s = {key: min(at_s, end_s) for key, at_s in session.ends_s.items()}
            session.renewed_s = self._now_s()
            return self._cookie(session)

    def end(self, session: Session) -> None:
        """Logged out, on every page."""
        with self._turn:
            for key in session.ends_s:
                self._by_digest.pop(key, None)

    def _cookie(self, session: Session) -> str:
        cookie = secrets.token_urlsafe(32)
        session.ends_s[_digest(cookie)] = session.begun_s + self._longest_s
        self._by_digest[_digest(cookie)] = session
        return cookie

    def _everyone(self) -> list[Session]:
        return list({id(one): one for one in self._by_digest.values()}.values())

    def _forget(self) -> None:
        now_s = self._now_s()
        for key, one in list(self._by_digest.items()):
            if now_s >= one.ends_s[key] or now_s - one.seen_s >= self._idle_s:
                del self._by_digest[key]


class Attempts:
    """Wrong passwords of a peer: after a few of them it waits, longer each time."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failures: dict[str, tuple[int, float]] = {}

    def wait_s(self, peer: str) -> float:
        """For so long nothing that it says is looked at; 0: it may try."""
        failures, last_s = self._failures.get(peer, (0, 0.0))
        if failures < _FREE_FAILURES:
            return 0.0
        wait_s = min(_FIRST_WAIT_S * 2.0 ** min(failures - _FREE_FAILURES, 20), _LONGEST_WAIT_S)
        return max(0.0, last_s + wait_s - self._now_s())

    def failed(self, peer: str) -> None:
        """It was wrong."""
        now_s = self._now_s()
        for one, (_, last_s) in list(self._failures.items()):
            if now_s - last_s > _FORGOTTEN_AFTER_S:
                del self._failures[one]
        if peer not in self._failures and len(self._failures) >= _MOST_PEERS:
            self._failures.pop(min(self._failures, key=lambda one: self._failures[one][1]))
        self._failures[peer] = (self._failures.get(peer, (0, 0.0))[0] + 1, now_s)

    def succeeded(self, peer: str) -> None:
        """It was right."""
        self._failures.pop(peer, None)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="replace")).digest()
