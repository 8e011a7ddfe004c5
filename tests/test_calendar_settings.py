"""Sections macro and calendar of the config file: what is allowed, and one line for the rest."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load_settings
from config.macro import JsonSeries

HEAD = """\
mode: paper
state_dir: ./state
venue: {exchange: binanceusdm, account: hedge}
sources: [{kind: file, name: manual, path: positions.json}]
"""
CSV = "kind: csv, name: vix, path: v.csv, time_column: t, value_column: v, factor: 0.5"
JSON = "kind: json, name: vix, time_column: t, value_column: v, factor: 0.5, above: 1"
EVENT = "title: A, start: 2026-03-01, end: 2026-03-02T01:00:00+01:00, factor: 0.5"


def load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "c.yaml"
    file.write_text(HEAD + text)
    return load_settings(file)


def test_both_sections_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        HEAD
        + f"macro: [{{{CSV}, above: 30, above_until: 25}}, "
        + f"{{{JSON.replace('vix', 'fear')}, url: 'https://example.org/x?key=1'}}]\n"
        + f"calendar: {{events: [{{{EVENT}, tags: [a]}}], files: [{{path: c.ics, factor: 0.7}}]}}\n"
        + "universe: {listing_news: 2d}\n"
    )
    settings = load_settings(file)
    csv, json = settings.macro
    assert (csv.name, csv.above_until, csv.when_missing) == ("vix", 25.0, "tighten")
    assert isinstance(json, JsonSeries)
    (event,) = settings.calendar.events
    assert event.end_ms - event.start_ms == 24 * 3_600_000
    assert settings.calendar.files[0].path == tmp_path / "c.ics"
    assert settings.universe.listing_news.days == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"macro: [{{{CSV}}}]", "macro[0]: a mapping — above, below or both"),
        (f"macro: [{{{CSV}, below: 1, above_until: 2}}]", "above_until only together with above"),
        (f"macro: [{{{CSV}, above: 1, above_until: 2}}]", "above_until on the calm side of above"),
        (f"macro: [{{{CSV}, below: 2, below_until: 1}}]", "below_until on the calm side of below"),
        (
            f"macro: [{{{CSV.replace('0.5', '0')}, above: 1}}]",
            "macro[0].factor: 0 — a number above",
        ),
        (f"macro: [{{{CSV.replace('0.5', '1.5')}, above: 1}}]", "macro[0].factor: 1.5 — a number"),
        (f"macro: [{{{CSV}, above: 1, when_missing: calm}}]", "one of: tighten, ignore"),
        (f"macro: [{{{CSV.replace('csv', 'xls', 1)}}}]", "macro[0].kind"),
        (f"macro: [{{{JSON}, url: 'ftp://x/y'}}]", "macro[0].url: (not shown) — an http or https"),
        (f"macro: [{{{JSON}, url: 'http://u:p@x/y'}}]", "macro[0].url: (not shown)"),
        (f"macro: [{{{JSON}, url: 'http://x/ y'}}]", "macro[0].url: (not shown)"),
        (
            f"macro: [{{{CSV}, above: 1}}, {{{CSV}, above: 2}}]",
            'macro[1].name: "vix" — a name of its own, macro[0] has this one',
        ),
        ("calendar: [1]", "calendar: a list — a mapping with the keys events, files"),
        (
            f"calendar: {{events: [{{{EVENT.replace('-03-02T', '-02-02T')}}}]}}",
            "calendar.events[0]: a mapping — an event whose end is after its start",
        ),
        (
            f"calendar: {{events: [{{{EVENT.replace('01:00:00+01:00', '01:00:00')}}}]}}",
            "calendar.events[0].end",
        ),
        (
            f"calendar: {{events: [{{{EVENT.replace('2026-03-01', '2026-02-30')}}}]}}",
            "calendar.events[0].start",
        ),
        ("calendar: {files: [{path: x.ics}]}", "calendar.files[0].factor: missing"),
        ("calendar: {files: [{path: x, factor: 0.1, tags: []}]}", "calendar.files[0].tags"),
    ],
)
def test_the_rest_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text + "\n")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
