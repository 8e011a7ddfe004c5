"""Why a proposal won, from the cycle's record to terminal and report."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli.findings import proposal_table
from bot.records.summary import proposal_record
from bot.report.reasons import alternative_rows, reason_facts
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeChoices
from strategies.minimum_risk import MinimumRisk
from strategies.proposal import HedgeProposal
from tests.cycle_scene import open_scene, paper_settings
from tests.strategies_cases import two_tokens


async def test_a_cycle_writes_down_why(tmp_path: Path):
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="propose")) as scene:
        record = await scene.cycle()
    told = json.loads(json.dumps(record.document(), allow_nan=False))["proposal"]
    assert told["alternatives"]
    assert all(one["reason"] for one in told["alternatives"])
    volatility = told["expected_volatility_daily_usd"]
    split = told["variance"]
    assert split["systematic_after_usd2"] + split["specific_bot_usd2"] + split[
        "specific_added_usd2"
    ] == pytest.approx(volatility**2, rel=1e-4)
    assert 0 < split["systematic_removed"] <= 1
    assert told["stress_after_usd"]["sector up"] > 0
    assert told["stress_before_usd"]["sector up"] == 0
    assert told["deleveraging"]["volatility_daily_usd"] > volatility
    assert told["conflict"] is None
    console = Console(file=io.StringIO(), width=160)
    console.print(proposal_table(record.document()))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "Why not" in text
    assert "of the market's variance removed" in text
    assert "of hedges deleveraged" in text


def conflicting() -> HedgeProposal:
    limits = RiskLimits(net_usd=10_000.0, hedge_gross_usd=20_000.0)
    answer = MinimumRisk().decide(two_tokens(), HedgeChoices(limits))
    assert isinstance(answer, HedgeProposal)
    return answer


def test_caps_in_conflict_are_told_in_their_own_words():
    record = proposal_record(conflicting())
    assert record.conflict == {
        "caps": [{"cap": "net_usd", "scope": ""}, {"cap": "hedge_gross_usd", "scope": ""}],
        "bot_alone": ["net_usd"],
    }
    told = dict(reason_facts({"conflict": record.conflict}))
    assert told == {
        "Exclude each other": "net exposure, hedge gross",
        "Over by the bot alone": "net exposure",
    }


def test_figures_that_are_not_there_are_not_told():
    assert reason_facts({}) == []
    assert reason_facts({"variance": {"systematic_removed": None}, "deleveraging": None}) == []
    assert alternative_rows({}) == []


def test_names_of_alternatives_are_short():
    (row,) = alternative_rows(
        {
            "alternatives": [
                {
                    "name": "without FET/USDT:USDT",
                    "volatility_daily_usd": 1234.4,
                    "trade_cost_usd": None,
                    "reason": "costs 3.00 USD more",
                }
            ]
        }
    )
    assert (row.name, row.volatility) == ("without FET", "1,234 USD")
    assert row.reason == "costs 3.00 USD more"
