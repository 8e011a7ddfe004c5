"""Caps in USD, the strategy's choices, and random files that must never break the loader."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.caps import Caps
from config.choices import choices
from config.errors import ConfigError
from config.load import load_settings, profile_path, settings_from
from config.settings import Settings
from config.yaml_file import parse_yaml
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeChoices


def test_fractions_become_dollars() -> None:
    caps = Caps(
        net_usd=20000,
        hedge_gross_equity_fraction=1.5,
        turnover_daily_equity_fraction=0.5,
        adv_share=0.02,
        margin_use=None,
    )
    assert caps.limits(40_000) == RiskLimits(
        net_usd=20000,
        hedge_gross_usd=60_000,
        turnover_daily_usd=20_000,
        adv_share=0.02,
        margin_use=None,
    )


def test_every_cap_arrives() -> None:
    caps = Caps(
        token_usd=11,
        net_usd=12,
        sector_net_usd=13,
        cluster_net_usd=14,
        cluster_gross_usd=15,
        beta_net_usd=16,
        cae_usd=17,
        hedge_gross_equity_fraction=0.18,
        turnover_daily_equity_fraction=0.19,
        adv_share=0.2,
        margin_use=0.21,
        bot_margin_share=0.22,
    )
    limits = caps.limits(100)
    assert limits == RiskLimits(
        token_usd=11,
        net_usd=12,
        sector_net_usd=13,
        cluster_net_usd=14,
        cluster_gross_usd=15,
        beta_net_usd=16,
        cae_usd=17,
        hedge_gross_usd=18,
        turnover_daily_usd=19,
        adv_share=0.2,
        margin_use=0.21,
        bot_margin_share=0.22,
    )


def test_no_cap_stays_no_cap() -> None:
    caps = Caps(
        hedge_gross_equity_fraction=None,
        turnover_daily_equity_fraction=None,
        adv_share=None,
        margin_use=None,
    )
    assert caps.limits(1000) == RiskLimits()


@pytest.mark.parametrize("equity_usd", [0.0, -1.0, math.nan, math.inf])
def test_equity_that_fractions_cannot_be_taken_of(equity_usd: float) -> None:
    with pytest.raises(DataError, match="must be above 0"):
        Caps().limits(equity_usd)


def test_choices_of_the_demo() -> None:
    chosen = choices(load_settings(profile_path("demo")), 60_000)
    assert isinstance(chosen, HedgeChoices)
    assert chosen.limits.hedge_gross_usd == 60_000
    assert chosen.limits.net_usd == load_settings(profile_path("demo")).caps.net_usd
    assert (chosen.risk_aversion, chosen.holding_days, chosen.shorts_only) == (4.0, 7.0, True)


def test_choices_carry_every_tuning() -> None:
    tuned = {
        "risk_aversion": 1.5,
        "horizon_days": 2,
        "holding_days": 3,
        "impact": 0.4,
        "estimation_uncertainty": 0.5,
        "carry_risk": 0.6,
        "carry_doubt": 0.2,
        "carry_received": 0.3,
        "crowding_charge": 0.7,
        "shorts_only": False,
    }
    data = {**_SKELETON, "hedge": tuned}
    chosen = choices(settings_from(data, where="here", base=Path("/nowhere")), 1000)
    assert {name: getattr(chosen, name) for name in tuned} == tuned


_SKELETON: dict[str, Any] = {
    "mode": "demo",
    "state_dir": "s",
    "venue": {"exchange": "binanceusdm", "account": "h"},
}


def _names(model: Any) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(name)
        found += _names(field.annotation) if hasattr(field.annotation, "model_fields") else []
    return found


_KEY = st.sampled_from(sorted({*_names(Settings), "kind", "name", "path", "colour", "[key]", ""}))
_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["paper", "live", "4h", "account", "file", "ai", "FET", "BTC/USDT:USDT", "~"]),
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEY, inner, max_size=6)),
    max_leaves=20,
)


def _one_line_or_settings(data: Any) -> None:
    """Anything but settings or a ConfigError of one line is a failure."""
    try:
        settings_from(data, where="F", base=Path("/nowhere"))
    except ConfigError as error:
        message = str(error)
    else:
        return
    assert message.startswith("F: ")
    assert message.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_KEY, _VALUE, max_size=8), st.booleans())
@example({"venue": {"account": "h", "exchange": ["okx"]}}, True)
@example({"universe": {"exclude": [{}]}}, True)
def test_any_mapping_gives_settings_or_one_line(data: dict[str, Any], complete: bool) -> None:
    _one_line_or_settings({**_SKELETON, **data} if complete else data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(Settings.model_fields)), _VALUE)
def test_any_section_gives_settings_or_one_line(section: str, value: Any) -> None:
    _one_line_or_settings({**_SKELETON, section: value})


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.text(alphabet="abm: -[]{}#&*!|>'\"%@`?,\t\n0.5eyn~", max_size=80),
        _VALUE.map(lambda value: str(yaml.safe_dump({"mode": "paper", "caps": value}))),
    )
)
def test_any_text_gives_a_mapping_or_one_line(text: str) -> None:
    try:
        document = parse_yaml(text, "F")
    except ConfigError as error:
        message = str(error)
    else:
        _one_line_or_settings(document)
        return
    assert message.startswith("F: ")
    assert message.isprintable()


@given(equity_usd=st.floats(1, 1e9), fraction=st.floats(0.001, 5))
def test_gross_cap_scales_with_equity(equity_usd: float, fraction: float) -> None:
    caps = Caps(hedge_gross_equity_fraction=fraction)
    limits = caps.limits(equity_usd)
    assert limits.hedge_gross_usd == pytest.approx(fraction * equity_usd)
