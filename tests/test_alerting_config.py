"""Alert settings and the addresses of services: what is refused, and that none is shown."""

from pathlib import Path

import pytest

from bot.alerting.opening import rules_of
from bot.records.event_kinds import Weight
from config.alert_addresses import find_addresses
from config.alerts import Alerts
from config.errors import ConfigError
from config.load import load_settings
from tests.config_words import GOOD

TOKEN = "canary0123456789abcdef"
ROUTE = "alerts: {routes: [{name: phone}]}\n"


def settings_of(tmp_path: Path, more: str) -> Alerts:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD + more)
    return load_settings(path).alerts


def test_without_routes_nobody_is_asked(tmp_path: Path) -> None:
    alerts = settings_of(tmp_path, "")
    assert find_addresses(alerts, environment={}) == {}
    assert list(rules_of(alerts).routes) == []


def test_settings_become_rules(tmp_path: Path) -> None:
    alerts = settings_of(
        tmp_path,
        "alerts:\n"
        "  routes: [{name: phone}, {name: boss, least: alarm, escalation: true}]\n"
        "  quiet_from: '22:00'\n"
        "  quiet_to: '07:30'\n"
        "  quiet_zone: Europe/Berlin\n"
        "  repeat_minutes: 30\n",
    )
    rules = rules_of(alerts)
    assert [(one.name, one.least, one.escalation) for one in rules.routes] == [
        ("phone", Weight.WARNING, False),
        ("boss", Weight.ALARM, True),
    ]
    assert rules.repeat_ms == 1_800_000
    assert rules.escalate_ms == 300_000
    assert rules.quiet is not None
    assert (str(rules.quiet.begins), str(rules.quiet.ends)) == ("22:00:00", "07:30:00")
    assert str(rules.quiet.zone) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("alerts: {quiet_from: '22:00'}\n", "both or neither"),
        ("alerts: {quiet_from: '22:00', quiet_to: '22:00'}\n", "another time"),
        ("alerts: {quiet_from: '24:00', quiet_to: '07:00'}\n", "alerts.quiet_from"),
        ("alerts: {quiet_zone: Europe/Atlantis}\n", "a time zone such as"),
        ("alerts: {quiet_zone: ../../etc/passwd}\n", "alerts.quiet_zone"),
        ("alerts: {routes: [{name: a}, {name: A}]}\n", "a name of its own"),
        ("alerts: {routes: [{name: a, least: loud}]}\n", "alerts.routes"),
        ("alerts: {routes: [{name: a, url: 'json://x'}]}\n", "url"),
        ("alerts: {escalate_minutes: 0}\n", "alerts.escalate_minutes"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(tmp_path: Path, more: str, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, more)
    assert field in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        f"jsons://example.invalid/{TOKEN}",
        f"json://127.0.0.1:9/{TOKEN}",
        f"ntfys://{TOKEN}",
        f"mailtos://user:{TOKEN}@example.invalid",
        f"discord://123456789012345678/{TOKEN}",  # one name only, always encrypted
    ],
)
def test_addresses_that_are_taken(tmp_path: Path, address: str) -> None:
    alerts = settings_of(tmp_path, ROUTE)
    found = find_addresses(alerts, environment={"PERPHEDGE_ALERT_URL_PHONE": address})
    assert found["phone"].get_secret_value() == address
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (TOKEN, "an address that apprise knows"),
        (f"https://example.invalid/{TOKEN}", "an address that apprise knows"),
        (f"json://example.invalid/{TOKEN}", "an address that is encrypted"),
        (f"ntfy://example.invalid/{TOKEN}", "an address that is encrypted"),
        (f"json://127.0.0.1.example.invalid/{TOKEN}", "an address that apprise knows"),
        (f"jsons://example.invalid/{TOKEN}?verify=no", "without verify=no"),
    ],
)
def test_addresses_that_are_refused_are_not_shown(tmp_path: Path, address: str, words: str) -> None:
    alerts = settings_of(tmp_path, ROUTE)
    with pytest.raises(ConfigError) as caught:
        find_addresses(alerts, environment={"PERPHEDGE_ALERT_URL_PHONE": address})
    assert words in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_an_address_comes_from_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "phone"
    file.write_text(f"ntfys://{TOKEN}\n")
    file.chmod(0o600)
    alerts = settings_of(tmp_path, "alerts: {routes: [{name: phone, url_file: phone}]}\n")
    assert find_addresses(alerts, environment={})["phone"].get_secret_value().endswith(TOKEN)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_addresses(alerts, environment={})


def test_a_route_without_an_address_says_where_to_name_it(tmp_path: Path) -> None:
    alerts = settings_of(tmp_path, "alerts: {routes: [{name: on-call}]}\n")
    with pytest.raises(ConfigError, match=r"url_file, or set PERPHEDGE_ALERT_URL_ON_CALL"):
        find_addresses(alerts, environment={})
