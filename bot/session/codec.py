"""Values that pass the engine's doors as JSON and back, exact to the last bit. Pure.

Only this project's own frozen dataclasses, enumerations and errors are made from a file, so that
a recording can do no more than hold values: what it names is looked up, and refused unless it is
one of those.
"""

import base64
import importlib
from collections.abc import Callable, Mapping
from collections.abc import Set as AnySet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from risk.errors import DataError, PerphedgeError

_TAG: Final = "~"
"""Key of a document that stands for something other than a plain JSON object."""
_OURS: Final = ("bot.", "risk.", "config.", "strategies.")


class EngineDefectError(PerphedgeError):
    """What a door raised when recorded and is none of the project's own errors."""


def packed(value: object) -> Any:
    """``value`` as JSON's own types.

    Raises:
        DataError: it holds something that no door gives.
    """
    if value is None or (isinstance(value, str | bool | int | float) and type(value) in _PLAIN):
        return value
    for kind, pack in _PACKERS:
        if isinstance(value, kind):
            return pack(value)
    if is_dataclass(value) and not isinstance(value, type):
        content = {f.name: packed(getattr(value, f.name)) for f in fields(value) if f.init}
        return {_TAG: "data", "of": _name(type(value)), "is": content}
    raise DataError(f"session: {type(value).__name__} cannot be recorded")


def unpacked(document: Any) -> Any:
    """What ``packed`` was given; sequences are tuples or lists as they were.

    Raises:
        DataError: it was made by something else.
    """
    if isinstance(document, list):
        return [unpacked(one) for one in document]
    if not isinstance(document, dict):
        return document
    kind = document.get(_TAG)
    if kind is None:
        return {key: unpacked(one) for key, one in document.items()}
    try:
        return _UNPACKERS[kind](document)
    except (KeyError, TypeError, ValueError, AttributeError, ImportError, ArithmeticError) as error:
        raise DataError(f"session: a value of kind {kind!r} cannot be read ({error})") from error


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _found(name: str) -> Any:
    module, _, path = name.partition(":")
    if not module.startswith(_OURS):
        raise ValueError(f"{name} is not of this project")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _class(name: str, fits: Callable[[Any], bool]) -> Any:
    found = _found(name)
    if not isinstance(found, type) or not fits(found):
        raise ValueError(f"{name} is no value")
    return found


def _pack_mapping(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: packed(one) for key, one in value.items()}
    return {_TAG: "map", "is": [[packed(key), packed(one)] for key, one in value.items()]}


def _pack_set(value: AnySet[Any]) -> Any:
    return {_TAG: "set", "is": sorted((packed(one) for one in value), key=repr)}


def _pack_array(value: np.ndarray[Any, Any]) -> Any:
    if value.dtype.hasobject:
        raise DataError("session: an array of objects cannot be recorded")
    content = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {_TAG: "array", "type": value.dtype.str, "shape": list(value.shape), "is": content}


def _pack_error(value: BaseException) -> Any:
    """Of what is not ours the name alone: its text may quote what must not be written down."""
    if not isinstance(value, PerphedgeError):
        return {
            _TAG: "error",
            "of": _name(EngineDefectError),
            "with": [type(value).__name__],
            "is": {},
        }
    return {
        _TAG: "error",
        "of": _name(type(value)),
        "with": [packed(one) for one in value.args],
        "is": packed(dict(vars(value))),
    }


def _unpack_array(document: Mapping[str, Any]) -> Any:
    dtype = np.dtype(document["type"])
    if dtype.hasobject:
        raise ValueError("an array of objects")
    content = base64.b64decode(document["is"], validate=True)
    return np.frombuffer(content, dtype=dtype).reshape(document["shape"]).copy()


def _unpack_data(document: Mapping[str, Any]) -> Any:
    made = _class(document["of"], is_dataclass)
    return made(**{key: unpacked(one) for key, one in document["is"].items()})


def _unpack_error(document: Mapping[str, Any]) -> Any:
    kind = _class(document["of"], lambda found: issubclass(found, PerphedgeError))
    error = kind.__new__(kind, *[unpacked(one) for one in document["with"]])
    vars(error).update(unpacked(document["is"]))
    return error


def _unpack_enum(document: Mapping[str, Any]) -> Any:
    return _class(document["of"], lambda found: issubclass(found, Enum))(document["is"])


_PLAIN: Final = frozenset({str, bool, int, float})
_PACKERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (Enum, lambda v: {_TAG: "enum", "of": _name(type(v)), "is": v.value}),
    (Decimal, lambda v: {_TAG: "decimal", "is": str(v)}),
    (np.ndarray, _pack_array),
    (np.generic, lambda v: packed(v.item())),
    (timedelta, lambda v: {_TAG: "duration", "is": [v.days, v.seconds, v.microseconds]}),
    (datetime, lambda v: {_TAG: "datetime", "is": v.isoformat()}),
    (date, lambda v: {_TAG: "date", "is": v.isoformat()}),
    (PurePath, lambda v: {_TAG: "path", "is": str(v)}),
    (bytes, lambda v: {_TAG: "bytes", "is": base64.b64encode(v).decode()}),
    (Mapping, _pack_mapping),
    (AnySet, _pack_set),
    (tuple, lambda v: {_TAG: "tuple", "is": [packed(one) for one in v]}),
    (list, lambda v: [packed(one) for one in v]),
    (BaseException, _pack_error),
)
_UNPACKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "enum": _unpack_enum,
    "decimal": lambda d: Decimal(d["is"]),
    "array": _unpack_array,
    "bytes": lambda d: base64.b64decode(d["is"], validate=True),
    "duration": lambda d: timedelta(*d["is"]),
    "datetime": lambda d: datetime.fromisoformat(d["is"]),
    "date": lambda d: date.fromisoformat(d["is"]),
    "path": lambda d: Path(d["is"]),
    "map": lambda d: {unpacked(key): unpacked(one) for key, one in d["is"]},
    "set": lambda d: frozenset(unpacked(one) for one in d["is"]),
    "tuple": lambda d: tuple(unpacked(one) for one in d["is"]),
    "data": _unpack_data,
    "error": _unpack_error,
}
