"""Every fault as a row of a table: where it comes from and how it is played.

To add one: a row here, and at the door that plays it a branch or an entry in that door's own
table. Schedules, counters and reports follow from this table alone.
"""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """As docs/faults.md groups them."""

    HTTP = "http"
    MEANING = "meaning"
    STREAM = "stream"
    MARKET = "market"
    CLOCK = "clock"
    PROCESS = "process"
    STORAGE = "storage"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: unique.
        recoverable: once it is over an engine can come back to its band by itself.
    """

    name: str
    family: Family
    recoverable: bool = True


def _kinds(family: Family, *names: str) -> tuple[Kind, ...]:
    return tuple(Kind(name, family) for name in names)


_ALL = (
    *_kinds(
        Family.HTTP,
        "connect_refused",
        "timeout_after_acceptance",
        "timeout_before",
        "accepted_late",
        "reset_mid_body",
        "truncated_json",
        "html_on_200",
        "status_503_unknown",
        "status_503_unavailable",
        "code_1006_1007",
        "status_429",
        "status_418",
        "status_403_no_json",
        "tls_failure_in_post",
        "dns_failure",
        "redirect",
        "key_revoked",
    ),
    *_kinds(
        Family.MEANING,
        "same_id_after_fill",
        "duplicate_id_reject",
        "not_found_lag",
        "stale_open_orders",
        "history_expired",
        "partial_then_expiry",
        "duplicate_paged_fills",
        "null_fee_or_price",
        "rounded_quantity",
        "reduce_only_reject",
        "position_mode_flipped",
        "leverage_changed",
        "self_trade_expiry",
        "delisting",
        "filter_change",
        "amended_by_other",
        "cancelled_by_other",
        "foreign_order_with_prefix",
    ),
    *_kinds(Family.MEANING, "cancel_after_fill", "cancel_timeout"),
    *_kinds(
        Family.STREAM,
        "stream_silent_gap",
        "stream_duplicate",
        "stream_reorder",
        "stream_mute",
        "stream_fill_before_ack",
        "listen_key_expiry",
        "reconnect_storm",
    ),
    *_kinds(
        Family.MARKET,
        "price_gap",
        "empty_book",
        "crossed_book",
        "mark_not_last",
        "maintenance",
        "funding_spike",
        "funding_interval_change",
        "auto_deleveraging",
        "liquidation",
    ),
    *_kinds(Family.CLOCK, "skew_ahead", "skew_behind", "backward_step", "suspend"),
    *_kinds(Family.PROCESS, "sigkill", "sigterm_in_send", "double_start", "stall", "power_loss"),
    *_kinds(
        Family.STORAGE, "disk_full", "disk_error", "journal_locked", "corrupt_page", "newer_schema"
    ),
    *_kinds(
        Family.DATA,
        "price_nan",
        "price_zero",
        "price_huge",
        "wrong_contract_size",
        "stale_feed",
        "feed_x1000",
        "percent_as_number",
    ),
)

_BY_NAME = _kinds(Family.STORAGE, "sync_lost_once")

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*_ALL, *_BY_NAME)}
PLAYABLE: tuple[str, ...] = tuple(kind.name for kind in _ALL)
"""In the schedules that have a number. Another one here would make others of them all."""
OF_STREAMS = frozenset(kind.name for kind in _ALL if kind.family is Family.STREAM)

CRASH_POINTS: tuple[str, ...] = (
    "file.write",
    "file.sync.before",
    "file.sync.after",
    "journal.write",
    "journal.sync.before",
    "journal.sync.after",
    "network.account.before",
    "network.account.after",
    "network.cancel.before",
    "network.cancel.after",
    "network.depth.before",
    "network.depth.after",
    "network.fills.before",
    "network.fills.after",
    "network.find.before",
    "network.find.after",
    "network.funding.before",
    "network.funding.after",
    "network.instruments.before",
    "network.instruments.after",
    "network.place.before",
    "network.place.after",
    "network.quotes.before",
    "network.quotes.after",
    "network.source.before",
    "network.source.after",
)
"""Boundaries at which a process may end: around each write to the disk and each request."""
