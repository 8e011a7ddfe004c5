"""Listen keys: by which a private stream is opened without a signature, for an hour at a time."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject

VALID_MS: Final = 3_600_000


@dataclass(slots=True)
class _Issued:
    account: str
    key: str = field(repr=False)
    ends_ms: int


class ListenKeys:
    """The keys in force, one for each account; made from its secret, so never guessed."""

    def __init__(self) -> None:
        self._issued: dict[str, _Issued] = {}
        self._made = 0

    def start(self, account: SimAccount, now_ms: int) -> str:
        """A key, valid for an hour from now: the running one, or a new one."""
        running = self._issued.get(account.name)
        if running is None or running.ends_ms <= now_ms:
            self._made += 1
            text = f"{account.name}:{self._made}".encode()
            key = hmac.new(account.api_secret.encode(), text, hashlib.sha256).hexdigest()
            running = self._issued[account.name] = _Issued(account.name, key, now_ms)
        running.ends_ms = now_ms + VALID_MS
        return running.key

    def keep_alive(self, account: SimAccount, now_ms: int) -> str:
        """The running key, valid for another hour.

        Raises:
            VenueReject: there is none (-1125).
        """
        running = self._issued.get(account.name)
        if running is None or running.ends_ms <= now_ms:
            raise VenueReject(-1125, "This listenKey does not exist.", 400)
        running.ends_ms = now_ms + VALID_MS
        return running.key

    def close(self, account: SimAccount) -> None:
        """End the running key, if there is one."""
        self._issued.pop(account.name, None)

    def account_of(self, key: str, now_ms: int) -> str | None:
        """Whose key it is; None once it has ended."""
        for one in self._issued.values():
            if hmac.compare_digest(one.key.encode(), key.encode()) and one.ends_ms > now_ms:
                return one.account
        return None
