"""A strategy of one's own: a real small package, by import path and by entry point."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.errors import ConfigError
from config.load import load_settings
from config.strategy import GROUP, new_strategy, strategy_names
from risk.limits.caps import RiskLimits
from strategies.base import estimator_of
from strategies.proposal import HedgeProposal
from tests.e2e_scene import called
from tests.evaluate_scene import write_folder
from tests.strategies_cases import easy, random_facts

OWN = '''\
"""Half of the book, short in the first symbol that may be hedged."""

import numpy as np

from strategies.rule import RuleStrategy


def half(facts):
    target = np.zeros_like(facts.bot_usd)
    target[np.argmax(facts.may_hedge)] = -facts.bot_usd.sum() / 2
    return target


class Half:
    name = "half"
    estimator = "ewma"

    def decide(self, facts, choices):
        return RuleStrategy(self.name, self.estimator, half).decide(facts, choices)


class Plain(Half):
    name = "plain"
    estimator = "mean_ewma"


class Odd(Half):
    estimator = "crystal ball"


class Nameless:
    def decide(self, facts, choices):
        raise NotImplementedError


class Idle:
    name = "idle"


class Rooms:
    half = Half


class Clumsy(Half):
    name = "clumsy"

    def decide(self, facts, choices):
        return {}["ETH"]


class Picky(Half):
    def __init__(self, wanted):
        self.wanted = wanted


A_NUMBER = 3
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Installed as pip leaves it: a package and its metadata."""
    folder = tmp_path / "site"
    (folder / "own_hedges").mkdir(parents=True)
    (folder / "own_hedges" / "__init__.py").write_text("")
    (folder / "own_hedges" / "halves.py").write_text(OWN)
    (folder / "own_hedges" / "quits.py").write_text("import sys\nsys.exit('no licence')")
    (folder / "own_hedges" / "broken.py").write_text("import numpy\nraise RuntimeError('no key')")
    about = folder / "own_hedges-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-hedges\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[{GROUP}]\nhalf = own_hedges.halves:Half\nbroken = own_hedges.broken:Half\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))  # for processes that an evaluation starts
    return folder


def config(folder: Path, strategy: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(
        "mode: paper\nstate_dir: state\nvenue: {exchange: binanceusdm, account: hedge}\n"
        "sources: [{kind: file, name: bot, path: positions.json}]\n"
        f"hedge: {{strategy: '{strategy}'}}\n"
    )
    return path


@pytest.mark.parametrize("name", ["half", "own_hedges.halves:Half", "own_hedges.halves:Rooms.half"])
def test_it_decides_like_any_other(package: Path, name: str) -> None:
    strategy = new_strategy(name)
    assert strategy.name == "half"
    assert estimator_of(strategy) == "ewma"
    facts = random_facts(1)
    answer = strategy.decide(facts, easy(limits=RiskLimits()))
    assert isinstance(answer, HedgeProposal)
    assert answer.strategy == "half"
    (leg,) = answer.trades
    assert leg.symbol == facts.symbols[0]
    assert leg.trade_usd == pytest.approx(
        -facts.bot_usd.sum() / 2, abs=float(np.max(facts.lot_usd))
    )


def test_the_config_takes_it_and_lists_it(package: Path, tmp_path: Path) -> None:
    for name in ("half", "own_hedges.halves:Half"):
        assert load_settings(config(tmp_path, name)).hedge.strategy == name
    assert strategy_names()[-2:] == ("broken", "half")
    assert strategy_names()[0] == "none"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("halv", '"halv" — one of: none, pair, .*, broken, half; or .*; did you mean half?'),
        (
            "own_hedges.halves:Whole",
            "cannot be made: AttributeError: module .* no attribute 'Whole'",
        ),
        ("own_hedges.thirds:Third", "cannot be made: ModuleNotFoundError: No module named"),
        ("own_hedges.broken:Half", "cannot be made: RuntimeError: no key"),
        ("broken", "cannot be made: RuntimeError: no key"),
        ("own_hedges.quits:Half", "cannot be made: SystemExit: no licence"),
        ("own_hedges.halves:Picky", "cannot be made: TypeError: .*wanted"),
        ("own_hedges.halves:A_NUMBER", "cannot be made: TypeError: 'int' object is not callable"),
        ("own_hedges.halves:Nameless", "is no strategy: it has no name"),
        ("own_hedges.halves:Idle", "is no strategy: it has no method decide"),
        ("own_hedges.halves:Odd", 'is no strategy: its estimator is "crystal ball", must be one'),
    ],
)
def test_what_is_none_is_refused_in_one_line(
    package: Path, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        load_settings(config(tmp_path, name))
    assert "\n" not in str(told.value)
    assert "hedge.strategy: " in str(told.value)


def test_it_is_evaluated_beside_the_others(package: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "market", days=36)
    done = called(
        "evaluate",
        *("--data", str(folder), "--books", "2", "--tokens", "3", "--processes", "1", "--json"),
        *("--strategies", "half,own_hedges.halves:Plain"),
    )
    assert done.code == 0, done.err
    found = done.document["strategies"]
    assert list(found) == ["half", "own_hedges.halves:Plain"]
    # Both hold the same hedge and foretell another risk for it.
    same, other = found["half"], found["own_hedges.halves:Plain"]
    assert same["effectiveness_daily"] == other["effectiveness_daily"] != 0
    assert same["bias"] != other["bias"]
    refused = called("evaluate", "--data", str(folder), "--strategies", "halb")
    assert refused.code == 2
    assert refused.err.startswith('perphedge: --strategies: "halb" — one of: none, pair')


@pytest.mark.parametrize("name", ["half", "basket", "ledoit_wolf"])
def test_the_engine_decides_by_what_the_config_names(
    package: Path, tmp_path: Path, name: str
) -> None:
    folder = write_folder(tmp_path / "market")
    book = tmp_path / "book.json"
    book.write_text('[{"symbol": "FET/USDT:USDT", "notional_usd": 20000}]')
    done = called(
        *("propose", "-c", str(config(tmp_path, name)), "--data", str(folder), "--json"),
        *("--at", "2025-02-10T00:00:00Z", "--book", str(book)),
    )
    assert done.code == 0, done.err
    proposal = done.document["proposal"]
    assert proposal["strategy"] == name
    legs = {one["symbol"]: one["target_usd"] for one in done.document["legs"] if one["target_usd"]}
    assert legs
    assert all(target < 0 for target in legs.values())
    assert "FET/USDT:USDT" not in legs
    if name == "basket":
        assert len(legs) == 6
        assert sum(legs.values()) == pytest.approx(-20_000, rel=0.01)


def test_what_it_raises_is_told_in_one_line(package: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "market", days=36)
    name, said = "own_hedges.halves:Clumsy", "perphedge: strategy clumsy: KeyError: 'ETH'\n"
    asked = ("--data", str(folder), "--books", "1", "--tokens", "3", "--processes", "1")
    done = called("evaluate", *asked, "--strategies", name)
    assert (done.code, done.err) == (1, said)
    book = tmp_path / "book.json"
    book.write_text('[{"symbol": "FET/USDT:USDT", "notional_usd": 20000}]')
    done = called(
        *("propose", "-c", str(config(tmp_path, name)), "--data", str(folder), "--json"),
        *("--at", "2025-02-05T00:00:00Z", "--book", str(book)),
    )
    assert (done.code, done.err) == (1, said)


def test_the_example_of_the_document_is_a_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "strategies.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "my_hedges.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    strategy = new_strategy("my_hedges:half")
    facts = random_facts(2)
    renamed = replace(facts, symbols=("BTC/USDT:USDT", "ETH/USDT:USDT", *facts.symbols[2:]))
    answer = strategy.decide(renamed, easy(limits=RiskLimits()))
    assert isinstance(answer, HedgeProposal)
    assert [leg.symbol for leg in answer.trades] == ["ETH/USDT:USDT"]
