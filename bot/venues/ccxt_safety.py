"""What a ccxt client must not do: send again by itself, print its secrets, act on its own."""

from collections.abc import Iterable
from typing import Any

from bot.errors import SafetyError

_RETRY = "maxRetriesOnFailure"
_SECRET_FIELDS = ("apiKey", "secret", "password", "privateKey", "uid", "login", "twofa", "token")


class HiddenText(str):
    """A secret that is itself wherever it is used, and asterisks wherever it is shown by repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def refuse_unsafe(exchange: Any) -> None:
    """Looks at all of a client's settings.

    Raises:
        SafetyError: it would send orders again by itself, or print its secrets.
    """
    if getattr(exchange, _RETRY, None) or any(_retries(exchange.options)):
        raise SafetyError(
            f"{exchange.id}: {_RETRY} would send an order again after a lost reply; remove it"
        )
    if exchange.verbose:
        raise SafetyError(f"{exchange.id}: verbose prints keys and signatures; switch it off")


def _retries(value: Any) -> Iterable[bool]:
    """True for each place in the options that asks for it, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == _RETRY:
                yield bool(inner)
            else:
                yield from _retries(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _retries(inner)


def harden(exchange: Any) -> None:
    """Hides secrets from those who look at the client, and lets it do nothing unasked."""
    for name in _SECRET_FIELDS:
        value = getattr(exchange, name, None)
        if isinstance(value, str) and value:
            setattr(exchange, name, HiddenText(value))
    for name in ("HttpResponse", "JsonResponse", "ResponseHeaders"):
        setattr(exchange, f"enableLast{name}", False)  # a reply may repeat what it was asked
    exchange.log = _say_nothing  # what ``verbose`` prints with, should somebody switch it on
    if exchange.id == "hyperliquid":
        # Before its first order this client approves a fee for its makers and names a referrer.
        exchange.initialize_client = _ready
        exchange.options |= {"builderFee": False, "approvedBuilderFee": False, "refSet": True}


def _say_nothing(*_: Any) -> None:
    pass


async def _ready() -> bool:
    return True
