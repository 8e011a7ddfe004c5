"""Parameters of one request, read strictly, refused with Binance's codes and words."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from bot.venues.sim.errors import VenueReject

_INTEGER = re.compile(r"[0-9]{1,20}")
_DECIMAL = re.compile(r"([0-9]{1,20})(\.[0-9]{1,20})?")
_MAX_VALUES = 200


def missing(name: str) -> VenueReject:
    """The refusal of a request that lacks ``name``."""
    return VenueReject(
        -1102,
        f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        400,
    )


def malformed(name: str) -> VenueReject:
    """The refusal of a value out of its range."""
    return VenueReject(-1130, f"Data sent for parameter '{name}' is not valid.", 400)


def illegal(name: str, legal: str) -> VenueReject:
    """The refusal of a value of the wrong characters."""
    return VenueReject(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.", 400
    )


class Params:
    """Values by name; every reader names the parameter in its refusal."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def parse(cls, *sources: str) -> "Params":
        """From form-encoded texts (query, body).

        Raises:
            VenueReject: a name is sent twice (-1101) or the text cannot be read (-1103).
        """
        values: dict[str, str] = {}
        for source in sources:
            try:
                pairs = parse_qsl(
                    source,
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=_MAX_VALUES,
                )
            except ValueError:
                raise VenueReject(-1103, "An unknown parameter was sent.", 400) from None
            for name, value in pairs:
                if name in values:
                    raise VenueReject(
                        -1101, f"Duplicate values for parameter '{name}' detected.", 400
                    )
                values[name] = value
        return cls(values)

    def optional(self, name: str) -> str | None:
        """The text, None when it was not sent or is empty."""
        return self._values.get(name) or None

    def text(self, name: str, legal: str | None = None) -> str:
        """A mandatory text, whole within the regular expression ``legal``."""
        value = self.optional(name)
        if value is None:
            raise missing(name)
        if legal is not None and re.fullmatch(legal, value) is None:
            raise illegal(name, legal)
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number of at least 0."""
        value = self.optional(name)
        if value is None:
            return None
        if _INTEGER.fullmatch(value) is None:
            raise illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def integer(self, name: str) -> int:
        """A mandatory whole number of at least 0."""
        value = self.optional_integer(name)
        if value is None:
            raise missing(name)
        return value

    def limit(self, default: int, maximum: int) -> int:
        """The parameter ``limit``: from 1 to ``maximum``."""
        value = self.optional_integer("limit")
        if value is None:
            return default
        if not 1 <= value <= maximum:
            raise malformed("limit")
        return value

    def optional_decimal(self, name: str) -> Decimal | None:
        """A decimal number without sign or exponent."""
        value = self.optional(name)
        if value is None:
            return None
        if _DECIMAL.fullmatch(value) is None:
            raise illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        try:
            return Decimal(value)
        except InvalidOperation:
            raise malformed(name) from None

    def decimal(self, name: str) -> Decimal:
        """A mandatory decimal number without sign or exponent."""
        value = self.optional_decimal(name)
        if value is None:
            raise missing(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """``true`` or ``false``, in any case."""
        value = self.optional(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise malformed(name)
        return value.lower() == "true"

    def mandatory_flag(self, name: str) -> bool:
        """``true`` or ``false``, and it must be there."""
        self.text(name)
        return self.flag(name)

    def choice(
        self, name: str, allowed: Collection[str], default: str | None, refusal: VenueReject
    ) -> str:
        """One of ``allowed``; without a default it is mandatory.

        Raises:
            VenueReject: ``refusal`` when it is another.
        """
        value = self.optional(name) or default
        if value is None:
            raise missing(name)
        if value not in allowed:
            raise refusal
        return value

    def window(self, now_ms: int) -> tuple[int | None, int]:
        """``startTime`` (None: not sent) and ``endTime`` (now when not sent), both inclusive."""
        start, end = self.optional_integer("startTime"), self.optional_integer("endTime")
        if start is not None and end is not None and start > end:
            raise VenueReject(-1023, "Start time is greater than end time.", 400)
        return start, now_ms if end is None else end
