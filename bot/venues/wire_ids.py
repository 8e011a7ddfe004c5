"""Client ids as each exchange writes them, and back."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from risk.errors import DataError

_OURS: Final = re.compile(r"h1[a-z2-7]{24}")
_HEX_PREFIX: Final = "0x68"  # an h; the 120 bits of the digest make it 128


def _same(text: str) -> str:
    return text


def _to_hex(client_id: str) -> str:
    if _OURS.fullmatch(client_id) is None:
        raise DataError(f"client id {client_id!r} cannot be written as 128 bits")
    return _HEX_PREFIX + base64.b32decode(client_id[2:].upper()).hex()


def _from_hex(wire_id: str) -> str:
    digits = wire_id.lower()
    if re.fullmatch(_HEX_PREFIX + "[0-9a-f]{30}", digits) is None:
        return wire_id  # somebody else's
    return "h1" + base64.b32encode(bytes.fromhex(digits[len(_HEX_PREFIX) :])).decode().lower()


@dataclass(frozen=True, slots=True)
class IdRule:
    """What an exchange takes as a client id.

    Attributes:
        allowed: the whole of an id on the wire.
        write, read: from our id to the wire's and back; read leaves other people's as they are.
        words: the rule for people.
    """

    allowed: re.Pattern[str]
    words: str
    write: Callable[[str], str] = _same
    read: Callable[[str], str] = _same


_RULES: Final[Mapping[str, IdRule]] = {
    "binanceusdm": IdRule(re.compile(r"[.A-Z:/a-z0-9_-]{1,36}"), "as it is, up to 36 characters"),
    "bybit": IdRule(re.compile(r"[A-Za-z0-9_-]{1,36}"), "as it is, up to 36 characters"),
    "okx": IdRule(re.compile(r"[A-Za-z0-9]{1,32}"), "as it is, up to 32 letters and digits"),
    "bitget": IdRule(re.compile(r"[A-Za-z0-9_:#-]{1,32}"), "as it is, up to 32 characters"),
    "gate": IdRule(
        re.compile(r"t-[A-Za-z0-9_.-]{1,26}"),
        "behind `t-`, up to 28 characters with it",
        lambda own: f"t-{own}",
        lambda wire: wire.removeprefix("t-"),
    ),
    "hyperliquid": IdRule(
        re.compile(r"0x[0-9a-f]{32}"), "its digest as 128 bits in hexadecimal", _to_hex, _from_hex
    ),
}


def wire_id(venue: str, client_id: str) -> str:
    """The client id as the exchange takes it; where no rule is known, as it is.

    Raises:
        DataError: the exchange would refuse or change it.
    """
    rule = _RULES.get(venue)
    if rule is None:
        return client_id
    written = rule.write(client_id)
    if rule.allowed.fullmatch(written) is None or rule.read(written) != client_id:
        raise DataError(f"client id {client_id!r} does not fit {venue} ({rule.words})")
    return written


def own_id(venue: str, told: object) -> str:
    """Our client id out of what the exchange tells; other people's as they are, none: empty."""
    if not isinstance(told, str) or not told:
        return ""
    rule = _RULES.get(venue)
    return told if rule is None else rule.read(told)


def id_rule_words(venue: str) -> str:
    """How ids are written there, for people."""
    return _RULES[venue].words
