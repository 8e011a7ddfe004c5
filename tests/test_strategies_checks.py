from dataclasses import fields, replace

import numpy as np
import pytest

from config.hedge import Hedge
from risk.errors import OptimizationError
from risk.limits.caps import RiskLimits
from strategies.checks import check_choices, check_facts
from strategies.inputs import HedgeChoices
from strategies.model import hedge_model
from tests.strategies_cases import easy, two_tokens

NAN = float("nan")


def test_sound_facts_and_choices_pass():
    check_facts(two_tokens())
    check_choices(easy(RiskLimits(net_usd=0.0)))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("symbols", ("A", "A"), "symbols: one is listed twice"),
        ("bot_usd", np.zeros(3), r"bot_usd: shape \(3,\), must be \(2,\)"),
        ("bot_usd", np.array([NAN, 0.0]), "bot_usd: A has nan, must be finite"),
        ("hedge_usd", np.array([0.0, np.inf]), "hedge_usd: B has inf"),
        ("beta_btc", np.array([1.0, NAN]), "beta_btc: B has nan"),
        ("funding_daily", np.array([NAN, 0.0]), "funding_daily: A has nan"),
        ("crowding", np.array([NAN, 0.0]), "crowding: A has nan"),
        ("price_usd", np.array([1.0, 0.0]), "price_usd: B has 0.0, must be finite and above 0"),
        ("lot_usd", np.array([-1.0, 1.0]), "lot_usd: A has -1.0"),
        ("adv_usd", np.array([0.0, 1.0]), "adv_usd: A has 0.0"),
        ("min_trade_usd", np.array([-1.0, 1.0]), "min_trade_usd: A has -1.0.*at least 0"),
        ("half_spread", np.array([NAN, 0.0]), "half_spread: A has nan"),
        ("taker_fee", np.array([0.0, -1e-4]), "taker_fee: B has -0.0001"),
        ("funding_daily_se", np.array([-1.0, 0.0]), "funding_daily_se: A has -1.0"),
        ("initial_margin_rate", np.array([0.1, NAN]), "initial_margin_rate: B has nan"),
        ("may_hedge", np.array([0, 1]), "may_hedge: shape .* of int64"),
        ("in_sector", np.ones(3, dtype=np.bool_), "in_sector: shape"),
        ("cluster", np.zeros(2), "cluster: shape .* of float64"),
        ("volatility_btc_daily", 0.0, "volatility_btc_daily: 0.0, must be finite and above 0"),
        ("turnover_used_usd", -1.0, "turnover_used_usd: -1.0"),
        ("risk_equity_usd", 0.0, "risk_equity_usd: 0.0, must be finite and above 0"),
        ("equity_usd", NAN, "equity_usd: nan"),
        ("covariance_daily", np.eye(3), "covariance_daily: shape"),
        ("covariance_daily", np.array([[1.0, NAN], [NAN, 1.0]]), "A with B has nan"),
        ("covariance_daily", np.array([[1.0, 0.0], [0.0, 0.0]]), "B has variance 0.0"),
        ("covariance_daily", np.array([[1.0, 0.5], [0.4, 1.0]]), "not symmetric"),
    ],
)
def test_a_malformed_fact_is_named(field: str, value: object, words: str):
    with pytest.raises(OptimizationError, match=words):
        check_facts(replace(two_tokens(), **{field: value}))


def test_no_symbol_at_all():
    with pytest.raises(OptimizationError, match="there are none"):
        check_facts(replace(two_tokens(), symbols=()))


def test_a_covariance_that_is_not_positive_definite():
    facts = replace(two_tokens(), covariance_daily=np.array([[1.0, 2.0], [2.0, 1.0]]))
    check_facts(facts)
    with pytest.raises(OptimizationError, match="not positive definite, smallest eigenvalue -1"):
        hedge_model(facts, easy(RiskLimits()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"risk_aversion": -1.0}, "risk_aversion: -1.0, must be finite and at least 0"),
        ({"horizon_days": 0.0}, "horizon_days: 0.0, must be finite and above 0"),
        ({"holding_days": NAN}, "holding_days: nan"),
        ({"impact": -0.1}, "impact"),
        ({"estimation_uncertainty": NAN}, "estimation_uncertainty"),
        ({"carry_risk": -1.0}, "carry_risk"),
        ({"crowding_charge": np.inf}, "crowding_charge"),
        ({"limits": RiskLimits(net_usd=-5.0)}, "limits.net_usd: -5.0"),
        ({"limits": RiskLimits(adv_share=NAN)}, "limits.adv_share: nan"),
    ],
)
def test_a_malformed_choice_is_named(changes: dict[str, object], words: str):
    with pytest.raises(OptimizationError, match=words):
        check_choices(replace(easy(RiskLimits()), **changes))


def test_a_choice_not_made_is_the_same_in_the_config_and_here():
    plain, section = HedgeChoices(RiskLimits()), Hedge()
    both = {field.name for field in fields(HedgeChoices)} & set(Hedge.model_fields)
    assert len(both) >= 15
    for name in both:
        assert getattr(section, name) == getattr(plain, name)
