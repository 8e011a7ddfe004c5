"""Builds the alert desk of an engine from its settings."""

import contextlib
from collections.abc import AsyncIterator
from datetime import time
from zoneinfo import ZoneInfo

from bot.alerting.desk import AlertDesk
from bot.alerting.rules import QuietHours, Route, Rules
from bot.alerting.service import Service
from bot.alerting.subjects import Subject, subject_of_alert, subject_of_proposal
from bot.approval import Action, PendingProposal, link, pending
from bot.controls.guard import Guard
from bot.errors import SafetyError
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock
from bot.records.event_kinds import Weight
from config.alert_addresses import find_addresses
from config.alerts import Alerts
from config.settings import Settings

_WORDS = {Action.APPROVE: "approve", Action.REJECT: "reject"}


def rules_of(alerts: Alerts) -> Rules:
    """What the owner has decided."""
    quiet = None
    if alerts.quiet_from is not None and alerts.quiet_to is not None:
        quiet = QuietHours(
            time.fromisoformat(alerts.quiet_from),
            time.fromisoformat(alerts.quiet_to),
            ZoneInfo(alerts.quiet_zone),
            Weight(alerts.quiet_through),
        )
    return Rules(
        routes=[Route(one.name, Weight(one.least), one.escalation) for one in alerts.routes],
        repeat_ms=round(alerts.repeat_minutes * 60_000),
        escalate_ms=round(alerts.escalate_minutes * 60_000),
        quiet=quiet,
    )


def services_of(alerts: Alerts) -> dict[str, Service]:
    """Each route's service.

    Raises:
        ConfigError: an address is missing or unusable.
    """
    return {name: Service(address) for name, address in find_addresses(alerts).items()}


@contextlib.asynccontextmanager
async def alerting(
    settings: Settings, guard: Guard, journal: Journal, clock: Clock, log: Logger
) -> AsyncIterator[None]:
    """Takes the guard's alerts to the owner's services until the block ends.

    Raises:
        ConfigError: an address is missing or unusable.
    """
    if not settings.alerts.routes:
        yield
        return
    waiting = _Waiting(settings, journal, clock)
    desk = AlertDesk(
        rules_of(settings.alerts),
        services_of(settings.alerts),
        journal,
        clock,
        log,
        account=guard.account,
        subjects=lambda: [subject_of_alert(alert) for alert in guard.alerts],
        waiting=waiting.subjects,
        links=waiting.links,
        timeout_ms=round(settings.alerts.timeout_seconds * 1000),
    )
    async with desk.running():
        yield


class _Waiting:
    """Proposals that wait for somebody, and where they are decided."""

    def __init__(self, settings: Settings, journal: Journal, clock: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._proposals: dict[str, PendingProposal] = {}

    def subjects(self) -> list[Subject]:
        """Undecided proposals.

        Raises:
            JournalError, OSError: they cannot be read.
        """
        found = [
            (subject, one)
            for one in pending(self._journal, self._settings.state_dir, self._clock.now_ms())
            if (subject := subject_of_proposal(one)) is not None
        ]
        self._proposals = {subject.key: one for subject, one in found}
        return [subject for subject, _ in found]

    def links(self, subject: Subject) -> list[tuple[str, str]]:
        """Signed links, where the owner wants them; they are made anew and kept nowhere."""
        proposal, base = self._proposals.get(subject.key), self._settings.approval.link_url
        if proposal is None:
            return []
        folder, words = self._settings.state_dir, proposal.proposal_id
        if base is not None:
            try:
                return [(w, link(folder, proposal, act, base)) for act, w in _WORDS.items()]
            except (SafetyError, OSError):
                pass  # without a key there are no links, and the command does as well
        return [("decide", f"perphedge approve {words}")]
