"""Sends a message to one service, in a thread of its own that nothing ever waits for.

Services are asked over the network by code that blocks. A thread that hangs keeps neither a cycle
nor the end of the process waiting.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr

from bot.alerting.message import Message
from bot.records.event_kinds import Weight
from config.alert_addresses import service_of

T = TypeVar("T")
_TYPES = {Weight.NOTE: "info", Weight.WARNING: "warning", Weight.ALARM: "failure"}


@dataclass(frozen=True, slots=True)
class Service:
    """Where a route leads; printing it shows asterisks."""

    address: SecretStr

    def send(self, message: Message, weight: Weight) -> None:
        """Delivers it.

        Raises:
            OSError: it was not taken; nothing is told of why, since that may hold the address.
        """
        from apprise import NotifyFormat, NotifyType

        service = service_of(self.address)
        if service is None or not service.notify(
            body=message.body,
            title=message.title,
            notify_type=NotifyType(_TYPES[weight]),
            body_format=NotifyFormat.TEXT,  # so that no sign in it is taken for markup
        ):
            raise OSError("not taken by the service")


def in_thread(work: Callable[[], T], name: str) -> "Future[T]":
    """Starts the work; the future tells how it ended, also where a service ends its thread."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 - somebody looks at the future
            future.set_exception(error)
        else:
            future.set_result(found)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
