"""The journal's JSON is what Python's own encoder writes, byte for byte: hashes rest on it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.journal.compact import compact_encoder
from bot.records.cycle import fields_of

_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
_quick = compact_encoder()
_strict = compact_encoder(allow_nan=False, default=fields_of)


@dataclass(frozen=True)
class _Row:
    name: str
    values: tuple[Any, ...]


@given(_VALUES)
def test_it_writes_what_pythons_own_encoder_writes(value: Any) -> None:
    assert _quick(value) == json.dumps(value, separators=(",", ":"))


@given(_VALUES)
def test_a_record_is_written_as_its_fields(value: Any) -> None:
    record = _Row("a", (1, value))
    try:
        expected = json.dumps(
            {"name": "a", "values": [1, value]}, separators=(",", ":"), allow_nan=False
        )
    except ValueError:
        with pytest.raises(ValueError, match="not JSON compliant"):
            _strict(record)
    else:
        assert _strict(record) == expected


def test_what_has_no_place_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        _quick([1j])
    with pytest.raises(TypeError, match="complex has no place in JSON"):
        _strict({"a": 1j})
