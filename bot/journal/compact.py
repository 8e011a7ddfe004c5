"""Compact JSON, by an encoder that is set up once.

``JSONEncoder.encode`` sets one up anew for each text, which takes as long as encoding a short row
itself, and there are some thousand rows a minute. What is written is the same, byte for byte.
"""

import json
from collections.abc import Callable
from json import encoder as parts
from typing import Any


def compact_encoder(
    *, allow_nan: bool = True, default: Callable[[Any], Any] | None = None
) -> Callable[[object], str]:
    """As ``JSONEncoder(separators=(",", ":"), check_circular=False, …).encode``.

    ``default`` makes of a value that JSON does not know one that it does.
    """
    plain = json.JSONEncoder(
        separators=(",", ":"), check_circular=False, allow_nan=allow_nan, default=default
    )
    make = getattr(parts, "c_make_encoder", None)
    if make is None:  # a Python without its parts in C
        return plain.encode
    pieces = make(
        None,
        plain.default,
        parts.encode_basestring_ascii,
        None,
        plain.key_separator,
        plain.item_separator,
        plain.sort_keys,
        plain.skipkeys,
        plain.allow_nan,
    )

    def encode(value: object) -> str:
        if isinstance(value, str):
            return plain.encode(value)  # which the parts in C know only inside of something
        return "".join(pieces(value, 0))

    return encode
