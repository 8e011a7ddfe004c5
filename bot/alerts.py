"""Where somebody is told: alert channels, of which the next takes over when one fails."""

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from bot.logs import Logger

ALERTS_NAME = "alerts.jsonl"  # in the state directory


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody should know.

    Attributes:
        key: the same for the same trouble, so that it is raised once.
        number, control: of the control that raised it.
        symbol: empty where it concerns everything.
        raised_ms: UTC milliseconds.
        clears: ends by itself when the trouble does; until then it waits for nobody.
    """

    key: str
    number: int
    control: str
    symbol: str
    text: str
    raised_ms: int
    clears: bool = False

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Alert":
        """The alert of a document."""
        return cls(**document)


def alert_id(alert: Alert) -> str:
    """Six characters that name an open alert to people."""
    return hashlib.sha256(f"{alert.key} {alert.raised_ms}".encode()).hexdigest()[:6]


class AlertChannel(Protocol):
    """One way to somebody's attention."""

    @property
    def name(self) -> str:
        """As the journal calls it."""
        ...

    async def send(self, alert: Alert) -> None:
        """Delivers it or raises, whatever; taking too long counts as failing."""
        ...


class LogChannel:
    """The engine's own log, at its highest level; another channel counts in its place."""

    def __init__(self, log: Logger, beyond: AlertChannel | None = None) -> None:
        self._log = log
        self._beyond = beyond
        self.name = "log" if beyond is None else beyond.name

    async def send(self, alert: Alert) -> None:
        """Writes it, and sends it on."""
        self._log.error("alert", **alert.document())
        if self._beyond is not None:
            await self._beyond.send(alert)


class FileChannel:
    """A file of JSON lines in the state directory, for whatever watches it."""

    name = "file"

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / ALERTS_NAME

    async def send(self, alert: Alert) -> None:
        """Appends it, on the disk before it returns.

        Raises:
            OSError: it cannot be written.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, (json.dumps(alert.document()) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class WebhookChannel:
    """An address that takes JSON by POST, of which nothing is ever said.

    Redirects are not followed and no proxy is asked for in the environment: the address is a
    secret of the place that it names.
    """

    name = "webhook"

    def __init__(self, address: SecretStr) -> None:
        self._address = address

    async def send(self, alert: Alert) -> None:
        """Posts it, with its text where chat services look for it.

        Raises:
            OSError: it is not taken.
            aiohttp.ClientError: it cannot be sent.
        """
        import aiohttp

        about = f" {alert.symbol}" if alert.symbol else ""
        text = f"perphedge, control {alert.number}{about}: {alert.text}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self._address.get_secret_value(),
                json={"text": text, **_outward(alert)},
                allow_redirects=False,
            ) as reply,
        ):
            if not 200 <= reply.status < 300:
                raise OSError(f"status {reply.status}")


def _outward(alert: Alert) -> dict[str, Any]:
    document = alert.document()
    del document["text"]
    return document


def alert_channels(
    log: Logger, state_dir: Path, webhook: SecretStr | None
) -> tuple[AlertChannel, ...]:
    """The log and with it the webhook, if there is one; behind it the file."""
    beyond = None if webhook is None else WebhookChannel(webhook)
    return LogChannel(log, beyond), FileChannel(state_dir)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which channel took an alert, and why others did not."""

    channel: str | None
    failures: Mapping[str, str]


async def deliver(alert: Alert, channels: Sequence[AlertChannel], timeout_s: float) -> Delivery:
    """Tries one channel after another until one has taken it."""
    failures: dict[str, str] = {}
    for channel in channels:
        try:
            await asyncio.wait_for(channel.send(alert), timeout_s)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next channel is tried
            # The message may hold an address with a token in it.
            failures[channel.name] = type(error).__name__
        else:
            return Delivery(channel.name, failures)
    return Delivery(None, failures)
