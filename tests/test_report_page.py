"""The HTML report: everything inside, nothing fetched, nothing lost, nothing executed."""

import json
import math
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from bot.report import words
from bot.report.page import ORDERS_SHOWN, render_report, write_report
from tests.report_samples import perpetual, sample_documents

HOSTILE = "<script>alert(1)</script>/USDT:USDT"


class Page(HTMLParser):
    """Elements with their attributes, visible text, and the scripts in order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.text: list[str] = []
        self._open: str | None = None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        self._open = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._open == "style":
            self.styles.append(data)
        else:
            self.text.append(data)

    @property
    def figures(self) -> dict[str, Any]:
        """The chart data that stands in the page."""
        found = next(s for a, s in self.scripts if a.get("id") == "chart-data")
        figures: dict[str, Any] = json.loads(found)
        return figures

    @property
    def words(self) -> str:
        """Everything a reader sees, in one line."""
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return sample_documents(14)


@pytest.fixture(scope="module")
def source(documents: list[dict[str, Any]]) -> str:
    return render_report(documents, title="perphedge demo, seed 7")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def traces(page: Page, chart: str) -> dict[str, list[float | None]]:
    return {trace["name"]: trace["y"] for trace in page.figures[chart]["data"]}


def test_the_page_refers_to_nothing_outside_itself(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"link", "base", "iframe", "object", "embed", "img", "form"}
        for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
            assert name not in attributes, (tag, attributes)
    assert not re.search(r"url\(|@import", "".join(page.styles))


def test_the_content_policy_forbids_every_request_and_names_every_script(page: Page) -> None:
    policy = next(
        a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    run = [text for attributes, text in page.scripts if attributes.get("type") is None]
    assert len(run) == 2
    for text in run:
        assert b64encode(sha256(text.encode()).digest()).decode() in policy


def test_it_is_one_file_of_bearable_size_with_plotly_once(source: str) -> None:
    assert len(source.encode()) < 8_000_000
    assert source.count("* plotly.js v") == 1


def test_every_cycle_stands_in_the_table_and_in_every_line(
    page: Page, documents: list[dict[str, Any]]
) -> None:
    for document in documents:
        assert document["cycle_id"] in page.text
        assert words.plain(document["reason"]) in page.words
    for chart in ("exposure", "volatility", "cae", "cap-use"):
        for values in traces(page, chart).values():
            assert len(values) == len(documents)


@pytest.mark.parametrize(
    ("chart", "name", "key"),
    [
        ("exposure", "Bot gross", "bot_gross_usd"),
        ("exposure", "Hedge gross", "hedge_gross_usd"),
        ("volatility", "Bot alone", "volatility_unhedged_daily_usd"),
        ("volatility", "Before trades", "volatility_before_daily_usd"),
        ("volatility", "After trades", "volatility_after_daily_usd"),
        ("cae", "Before trades", "cae_before_usd"),
        ("cae", "After trades", "cae_after_usd"),
    ],
)
def test_chart_figures_are_the_documents_own_and_missing_ones_are_gaps(
    page: Page, documents: list[dict[str, Any]], chart: str, name: str, key: str
) -> None:
    values = traces(page, chart)[name]
    assert values == [document[key] for document in documents]
    assert values.count(None) == 1
    assert all(t["connectgaps"] is False for t in page.figures[chart]["data"])


def test_caps_are_drawn_where_they_were_in_force(
    page: Page, documents: list[dict[str, Any]]
) -> None:
    expected = [document["limits"].get("cae_usd") for document in documents]
    assert traces(page, "cae")["Cap"] == expected
    uses = traces(page, "cap-use")
    assert len(uses) == 9
    last = documents[-1]["cap_use_after"]
    assert uses["correlation-adjusted exposure"][-1] == pytest.approx(100 * last["cae_usd"])
    line = page.figures["cap-use"]["layout"]["shapes"][-1]
    assert (line["y0"], line["y1"], line["xref"]) == (100, 100, "paper")


def test_correlation_keeps_order_and_values_and_marks_roles(
    page: Page, documents: list[dict[str, Any]]
) -> None:
    figure = page.figures["correlation"]
    shown, told = figure["data"][0], documents[-1]["correlation"]
    assert shown["z"] == told["matrix"]
    labels = figure["layout"]["yaxis"]["ticktext"]
    assert [label.split()[0] for label in labels] == [words.base(s) for s in told["symbols"]]
    assert {"FET ●", "BTC ▼", "AR"} <= set(labels)
    assert len(figure["layout"]["shapes"]) == 3


def test_contributions_sum_to_the_volatility_before(
    page: Page, documents: list[dict[str, Any]]
) -> None:
    bars = [value for trace in page.figures["contributions"]["data"] for value in trace["x"]]
    assert math.fsum(bars) == pytest.approx(documents[-1]["volatility_before_daily_usd"])


def test_every_figure_is_valid_plotly(page: Page) -> None:
    def paint(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("var(--"):
            return "#123456"
        if isinstance(value, list):
            return [paint(item) for item in value]
        if isinstance(value, dict):
            return {key: paint(item) for key, item in value.items()}
        return value

    assert len(page.figures) == 8
    for figure in page.figures.values():
        go.Figure(paint(figure))


def test_every_colour_of_the_charts_exists_in_both_schemes(source: str, page: Page) -> None:
    used = set(re.findall(r'"var\((--[a-z0-9-]+)\)"', json.dumps(page.figures)))
    style = page.styles[0]
    dark = style[style.index("prefers-color-scheme: dark") : style.index("* {")]
    light = style[: style.index("prefers-color-scheme: dark")]
    assert used
    for name in used:
        assert f"{name}:" in light
        assert f"{name}:" in dark


def test_the_verdict_stands_on_top(page: Page) -> None:
    assert "Inside every cap" in page.words
    assert "14 cycles: 12 hedged, 1 held, 1 denied." in page.words
    assert "account data is 95 s old" in page.words
    assert "net exposure 29,354 USD over 28,000 USD (105 %), by the bot alone" in page.words


def test_orders_fills_and_fees_are_told(page: Page, documents: list[dict[str, Any]]) -> None:
    fees = sum(float(f["fee_usd"]) for d in documents for f in d["fills"])
    assert f"{fees:,.2f} USD" in page.words
    assert page.words.count("filled") >= sum(len(d["orders"]) for d in documents)


def poisoned(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every text of the documents, keys too, replaced by something that wants to run."""
    text = json.dumps(documents)
    for symbol in (perpetual("FET"), perpetual("BTC")):
        text = text.replace(json.dumps(symbol), json.dumps(HOSTILE))
    evil = "</script><script>alert(2)</script><img src=x onerror=alert(3)><!--"
    out: list[dict[str, Any]] = json.loads(text)
    for document in out:
        document["reason"] = document["cycle_id"] = evil
        document["excluded"] = {evil: evil}
        document["cap_use_after"] = {**document["cap_use_after"], evil: 0.5}
        for order in document["orders"]:
            order["detail"] = order["state"] = order["quantity"] = evil
        if document["proposal"]:
            document["proposal"]["sentence"] = document["proposal"]["strategy"] = evil
            document["proposal"]["shadow_prices"] = {evil: 1.0}
    out[-1]["status"] = evil
    return out


def test_hostile_texts_stay_texts(documents: list[dict[str, Any]]) -> None:
    page = Page(render_report(poisoned(documents), title="<script>alert(0)</script>"))
    assert len(page.scripts) == 3
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert "<script>alert(0)</script>" in page.words
    raw = next(text for a, text in page.scripts if a.get("id") == "chart-data")
    assert not set("<>&") & set(raw)
    for figure in page.figures.values():
        assert "<script" not in json.dumps(figure)
        assert "<img" not in json.dumps(figure)
    ticks = page.figures["correlation"]["layout"]["yaxis"]["ticktext"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; ◆" in ticks


def test_no_cycle_at_all_gives_a_page_that_says_so() -> None:
    source = render_report([], title="perphedge")
    page = Page(source)
    assert "No cycle has been recorded yet" in page.words
    assert not page.scripts
    assert len(source) < 20_000


def test_cycles_without_any_figure_give_a_page_without_charts() -> None:
    held = [d for d in sample_documents(14) if d["status"] == "held"]
    page = Page(render_report(held, title="perphedge"))
    assert "No cycle got far enough to measure the book's risk." in page.words
    assert "account data is 95 s old" in page.words
    assert "Inside every cap" not in page.words
    assert not page.scripts


def test_figures_that_are_not_numbers_are_gaps(documents: list[dict[str, Any]]) -> None:
    broken = json.loads(json.dumps(documents))
    broken[1]["bot_gross_usd"] = math.nan
    broken[2]["volatility_after_daily_usd"] = math.inf
    broken[-1]["correlation"]["matrix"][0][1] = None
    page = Page(render_report(broken, title="perphedge"))
    assert traces(page, "exposure")["Bot gross"][1] is None
    assert traces(page, "volatility")["After trades"][2] is None
    assert page.figures["correlation"]["data"][0]["z"][0][1] is None
    assert "nan" not in page.words.lower().split()


def test_one_cycle_is_enough() -> None:
    page = Page(render_report(sample_documents(1), title="perphedge"))
    assert "1 cycle: 1 hedged." in page.words
    assert len(page.figures) == 7
    hours = page.figures["exposure"]["layout"]["xaxis"]["range"]
    assert hours == ["2025-02-28 23:00:00", "2025-03-01 01:00:00"]


def test_many_orders_are_cut_and_the_page_says_so() -> None:
    documents = sample_documents(120)
    total = sum(len(document["orders"]) for document in documents)
    assert total > ORDERS_SHOWN
    page = Page(render_report(documents, title="perphedge"))
    assert f"the last {ORDERS_SHOWN} of {total} orders" in page.words
    assert all(document["cycle_id"] in page.text for document in documents)


def test_the_same_cycles_give_the_same_bytes(source: str, documents: list[dict[str, Any]]) -> None:
    assert render_report(documents, title="perphedge demo, seed 7") == source


def test_writing_makes_the_folder_and_leaves_one_file(
    tmp_path: Path, documents: list[dict[str, Any]], source: str
) -> None:
    target = tmp_path / "out" / "report.html"
    write_report(documents, target, title="first")
    write_report(documents, target, title="perphedge demo, seed 7")
    assert target.read_text(encoding="utf-8") == source
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_report(
    tmp_path: Path, documents: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bot.report.page.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(documents, target, title="new")
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]
