"""Field types that the settings share: strict, finite, bounded, and able to say what they allow.

Nothing is converted silently: text is never a number, true is never 1, a mapping is never a list.
Each type carries its bounds and a ``Note``; error messages and docs/config.md are both written
from them, so that they cannot differ.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError


class Strict(BaseModel):
    """Base of every section: frozen, no unknown keys, no conversions, no infinities."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True, slots=True)
class Note:
    """What a field's type does not say by itself.

    Attributes:
        text: what is allowed, in place of the words made from type and bounds.
        unit: unit or meaning of a number.
        null: what null means, where null is allowed.
        later: values that are understood but not available in this version.
        private: the value stands for a secret and is never shown.
    """

    text: str = ""
    unit: str = ""
    null: str = ""
    later: tuple[str, ...] = ()
    private: bool = False


def refuse(allowed: str) -> PydanticCustomError:
    """The error of a rule that bounds cannot express; ``allowed`` says what would be right."""
    # Passed as context: the template would take braces in the text for placeholders.
    return PydanticCustomError("rule", "{allowed}", {"allowed": allowed})


FRACTION = "a fraction: 0.05 means 5 %"
_NO_FRACTION_CAP = Note(unit=FRACTION, null="no cap")

UsdCap = Annotated[float | None, Field(ge=10, le=1e9), Note(unit="USD", null="no cap")]
ShareCap = Annotated[float | None, Field(gt=0, le=1), _NO_FRACTION_CAP]
VolumeShareCap = Annotated[float | None, Field(gt=0, le=0.2), _NO_FRACTION_CAP]
GrossCap = Annotated[float | None, Field(gt=0, le=5), Note(unit="1.0 means 100 %", null="no cap")]
TurnoverCap = Annotated[
    float | None, Field(gt=0, le=20), Note(unit="1.0 means 100 % a day", null="no cap")
]
Share = Annotated[float, Field(gt=0, le=1), Note(unit=FRACTION)]


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Listed = BeforeValidator(_as_tuple)
"""Marks a tuple field that YAML writes as a list."""


_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _parse_duration(value: object) -> object:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    # Anything else fails the strict type, and the message then says what a duration is.
    return value if match is None else timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def duration_text(value: timedelta) -> str:
    """``4h`` for four hours: the largest unit that divides it."""
    seconds = int(value.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]


def _parse_path(value: object, info: ValidationInfo) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise refuse("the path of a file or folder, as text")
    if not value.strip() or any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise refuse("the path of a file or folder: not empty, without control characters")
    context: Any = info.context or {}
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise refuse("a path whose ~ names a user of this machine") from None
    return context.get("base", Path()) / path


FilePath = Annotated[Path, BeforeValidator(_parse_path), Note("the path of a file or folder")]
SecretPath = Annotated[
    Path | None,
    BeforeValidator(lambda value, info: None if value is None else _parse_path(value, info)),
    Note("the path of a file that its owner alone may read", null="not used", private=True),
]

Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$"),
    Note("a name of 1 to 32 letters, digits, . _ - that begins with a letter or digit"),
]
Base = Annotated[
    str,
    Field(pattern=r"^[^\s/:,a-z\x00-\x1f]{1,24}$"),
    Note("the base currency of a token in capitals, such as FET"),
]
Symbol = Annotated[
    str,
    Field(pattern=r"^[^\s/:,a-z\x00-\x1f]{1,24}/[A-Z]{3,5}:[A-Z]{3,5}$"),
    Note("a linear perpetual as ccxt writes it, such as FET/USDT:USDT"),
]
Token = Annotated[
    str,
    Field(pattern=r"^[^\s/:,a-z\x00-\x1f]{1,24}(/[A-Z]{3,5}:[A-Z]{3,5})?$"),
    Note("a token such as FET, or a perpetual as ccxt writes it, such as FET/USDT:USDT"),
]
UrlsHost = Annotated[
    str | None,
    Field(
        pattern=r"^127\.0\.0\.1:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
        r"|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
    ),
    Note(
        "only a simulated exchange on this machine, as 127.0.0.1:PORT",
        null="the exchange's own address",
    ),
]
EnvPrefix = Annotated[
    str | None,
    Field(pattern=r"^[A-Z][A-Z0-9_]{0,47}$"),
    Note(
        "the beginning of the names of environment variables: capitals, digits, _",
        null="the default prefix",
        private=True,
    ),
]
KeyringService = Annotated[
    str | None,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@/-]{0,31}$"),
    Note("the service name under which the keyring holds the key", null="not used", private=True),
]
