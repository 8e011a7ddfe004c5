"""Settings of a hummingbot source, and the connectors that are refused by name."""

from pathlib import Path
from typing import Any, get_args

import pytest

from config.errors import ConfigError
from config.load import settings_from
from config.settings import Settings
from config.sources_hummingbot import EXCHANGES, UNFIT, HummingbotSource
from config.venue import Exchange
from tests.hummingbot_scene import CONNECTOR


def settings(**more: Any) -> Settings:
    source = {"kind": "hummingbot", "name": "hb", "url": "http://127.0.0.1:8000"}
    given = {
        "mode": "paper",
        "state_dir": "state",
        "venue": {"exchange": "binanceusdm", "account": "h"},
        "sources": [source | {"connector": CONNECTOR} | more],
    }
    return settings_from(given, where="c.yaml", base=Path())


@pytest.mark.parametrize(
    ("connector", "words"),
    [
        ("binance", "what a spot connector holds are no perpetuals"),
        ("okx_perpetual", "amounts in dollars and one-way positions as shorts; read that exchange"),
        ("bybit_perpetual", "passes over what fails; read that exchange with a source of kind"),
        ("bitget_perpetual", "in the quote currencies of its own pairs alone"),
        ("bitget_unified_perpetual", "in the kinds of contract of its own pairs alone"),
        ("kucoin_perpetual", "it tells amounts in contracts"),
        ("dydx_v4_perpetual", "binance_perpetual, gate_io_perpetual"),
    ],
)
def test_connectors_that_are_refused_by_name(connector: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        settings(connector=connector)
    assert str(raised.value).count(connector) >= 1
    assert "\n" not in str(raised.value)


def test_every_exchange_whose_connector_is_refused_can_be_read_as_an_account() -> None:
    """As the refusal says, with the exchange that the connector's name begins with."""
    readable = {exchange.removesuffix("futures") for exchange in get_args(Exchange)}
    for connector in UNFIT:
        assert connector.split("_")[0] in readable
    assert set(EXCHANGES.values()) <= set(get_args(Exchange))
    assert not UNFIT.keys() & EXCHANGES.keys()


def test_settings() -> None:
    (source,) = settings(accounts=["a", "b"]).sources
    assert isinstance(source, HummingbotSource)
    assert source.accounts == ("a", "b")
    assert source.prefix == "PERPHEDGE_HB"
    with pytest.raises(ConfigError, match=r"sources\[0\]\.accounts"):
        settings(accounts=[])
