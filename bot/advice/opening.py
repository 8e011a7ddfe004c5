"""An entry desk for a bot that lives in this environment and wants no server."""

from collections.abc import Callable
from pathlib import Path

from bot.advice.desk import EntryDesk, Policy
from bot.advice.grants_file import GrantFile
from bot.advice.store import BookReader
from bot.clock import SystemClock
from config.api import EntryCheckSettings
from config.load import load_settings
from strategies.entry_check import EntryRule


def open_entry_desk(config: Path | str) -> EntryDesk:
    """A desk that judges by the book which the engine of this config publishes.

    Raises:
        ConfigError: the config cannot be used.
    """
    settings = load_settings(config)
    policy = entry_policy(settings.entry_check)
    return entry_desk(settings.state_dir, policy, SystemClock().now_ms)


def entry_desk(state_dir: Path, policy: Policy, now_ms: Callable[[], int]) -> EntryDesk:
    """A desk that shares book and grants with every other of this folder."""
    return EntryDesk(BookReader(state_dir), policy, now_ms, GrantFile(state_dir, policy.grant_ms))


def entry_policy(settings: EntryCheckSettings) -> Policy:
    """How entries are judged, by the config."""
    return Policy(
        rule=EntryRule(count_hedges=settings.book == "hedged", least_share=settings.least_share),
        max_age_ms=round(settings.max_age_seconds * 1000),
        when_stale=settings.when_stale,
        when_unknown=settings.when_unknown,
        grant_ms=round(settings.grant_seconds * 1000),
    )
