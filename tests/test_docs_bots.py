"""The pages on bots tell the truth: their examples load, their links lead somewhere."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.sources.file import parse_positions
from config.load import settings_from

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "bots").glob("*.md"))
WHOLE: dict[str, Any] = {
    "mode": "paper",
    "state_dir": "./state",
    "venue": {"exchange": "binanceusdm", "account": "hedge-sub"},
    "sources": [{"kind": "file", "name": "any", "path": "positions.json"}],
}
"""What an example that is a part of a config stands in."""


def blocks(page: Path, language: str) -> list[str]:
    """Its code blocks in one language, also those inside lists."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


EXAMPLES = [
    pytest.param(text, id=f"{page.stem}-{i}")
    for page in PAGES
    for i, text in enumerate(blocks(page, "yaml"))
]


def test_there_is_a_page_for_each_bot() -> None:
    names = {page.stem for page in PAGES}
    assert names >= {"account", "file", "own", "freqtrade", "hummingbot", "passivbot", "nautilus"}
    assert len(EXAMPLES) >= len(PAGES)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_load(text: str, tmp_path: Path) -> None:
    given = yaml.safe_load(text)
    settings = settings_from(given if "mode" in given else WHOLE | given, where="c", base=tmp_path)
    for section in given:
        assert section in settings.model_fields_set


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_tells_limits_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert "://" in link or (page.parent / link).exists(), link
    for path in re.findall(r"`((?:bot|risk|strategies|config|docs)/[\w./*-]+)`", text):
        assert list(ROOT.glob(path.rstrip("/"))), path
    if page.stem in {"elsewhere", "file"}:  # no bot of its own
        return
    for heading in ("In five minutes", "What is read|Positions", "never touched", "Limits"):
        assert re.search(rf"^## .*({heading})", text, re.MULTILINE), heading


def test_the_example_of_a_positions_file_is_one() -> None:
    (text,) = blocks(ROOT / "docs" / "bots" / "file.md", "json")
    (one,) = parse_positions(text, "file.md", "manual").positions
    assert (one.symbol, one.base_quantity) == ("FET/USDT:USDT", Decimal("1200.0"))
