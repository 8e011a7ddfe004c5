"""Series from outside the market: what is read, what is refused, and in which words."""

import json
from datetime import UTC, datetime

import pytest

from bot.outlook.macro_series import csv_points, json_document, json_points
from risk.errors import DataError


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_csv_file_is_read_by_its_columns_in_order_of_time() -> None:
    text = (
        "note,DATE,VIXCLS\r\nb,2025-03-04,23.5\r\na,2025-03-03,22.78\r\nc,2025-03-05,.\r\nd,,\r\n"
    )
    points = csv_points(text, "DATE", "VIXCLS")
    assert [(p.time_ms, p.value) for p in points] == [
        (ms("2025-03-03"), 22.78),
        (ms("2025-03-04"), 23.5),
    ]


@pytest.mark.parametrize(
    "time", ["2025-03-03T00:00:00Z", "2025-03-03T01:00:00+01:00", "1740960000", "1740960000000"]
)
def test_times_are_iso_or_seconds_or_milliseconds(time: str) -> None:
    assert csv_points(f"t,v\n{time},1\n", "t", "v")[0].time_ms == ms("2025-03-03")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 't' in the header"),
        ("a,v\n1,2\n", "no column 't' in the header"),
        ("t,v,v\n2025-01-01,2,3\n", "more than one (2) column 'v' in the header"),
        ("t,v\n2025-01-01,high\n", "line 2: the value 'high' is not a finite number"),
        ("t,v\n2025-01-01,nan\n", "line 2: the value 'nan' is not a finite number"),
        ("t,v\n2025-01-01,1e999\n", "line 2: the value '1e999' is not a finite number"),
        ("t,v\n03/04/2025,1\n", "line 2: the time '03/04/2025' is neither ISO 8601"),
        ("t,v\n,1\n", "line 2: the time '' is neither ISO 8601"),
        ("t,v\n2025-01-01,1\n2025-01-01,2\n", "line 3: a second value for 2025-01-01"),
        ('t,v\n"2025-01-01,1\n', "line"),
    ],
)
def test_what_is_garbled_is_named_in_one_line(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        csv_points(text, "t", "v")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_records_are_mappings_or_lists_with_text_or_numbers() -> None:
    listed = {"data": {"points": [{"t": "1740960000", "v": "25"}, {"t": 1741046400, "v": 26}]}}
    assert [p.value for p in json_points(listed, "data.points", "t", "v")] == [25, 26]
    columns = [[1741046400000, 5], [1740960000000, 4]]
    assert [p.value for p in json_points(columns, "", "0", "1")] == [4, 5]
    assert json_points({"t": 1740960000, "v": 3}, "", "t", "v")[0].value == 3
    assert json_points([1740960000, 3], "", "0", "1")[0].value == 3
    assert json_points({"a": []}, "a", "t", "v") == ()
    deep = {"chart": [{"points": [{"t": 1740960000, "v": 1}]}]}
    assert json_points(deep, "chart.0.points", "t", "v")[0].value == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"other": []}, "there is no 'data' where it should be"),
        ({"data": [{"t": 1740960000}]}, "there is no 'v' where it should be"),
        ({"data": [{"t": 1740960000, "v": True}]}, "record 0: the value True is not a finite"),
        ({"data": [{"t": 1740960000, "v": [1]}]}, "record 0: the value list is not a finite"),
        ({"data": [{"t": True, "v": 1}]}, "record 0: the time True is neither"),
        ({"data": [{"t": 1e300, "v": 1}]}, "record 0: the time 1e+300 is neither"),
        ({"data": 7}, "there is no 't' where it should be"),
    ],
)
def test_json_that_is_not_as_it_should_be_is_refused(document: object, message: str) -> None:
    with pytest.raises(DataError, match=message.replace("+", r"\+")):
        json_points(document, "data", "t", "v")


@pytest.mark.parametrize("content", [b"<html>", b"", b"\xff", b'{"v": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="the answer is not JSON"):
        json_document(content)
    assert json_document(json.dumps({"v": 1}).encode()) == {"v": 1}
