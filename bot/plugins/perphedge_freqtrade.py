"""Lets a freqtrade strategy ask perphedge before it enters. Copy this file beside the strategy.

    from perphedge_freqtrade import PerphedgeMixin

    class MyStrategyAsking(PerphedgeMixin, MyStrategy):   # run freqtrade with this one
        perphedge_url = "http://127.0.0.1:8799"
        perphedge_token_file = "/run/secrets/perphedge"   # or the variable PERPHEDGE_BOT_TOKEN
        perphedge_fail_open = False                       # True: enter when there is no answer

The mixin comes first, in a class of its own: in a strategy that has methods of the same names,
those would take the place of the mixin's, and nobody would ask. Entries are made smaller or not at
all where they would push the account over its caps; exits and stops are never touched, and nothing
is asked in backtests. Needs only Python's standard library.
"""

import http.client
import json
import logging
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)

_ASKS_IN = ("live", "dry_run")
_ROUNDING = 1e-3
"""Exchanges round quantities; so much more than was allowed is the same."""


class PerphedgeMixin:
    """Put it before your strategy, in a class of its own."""

    perphedge_url = "http://127.0.0.1:8799"
    perphedge_token_file: str | None = None
    perphedge_bot: str | None = None
    perphedge_fail_open = False
    perphedge_timeout_seconds = 1.0

    def custom_stake_amount(  # noqa: PLR0917 - freqtrade's signature
        self,
        pair: str,
        current_time: Any,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """The strategy's stake, or what perphedge leaves of it; 0 where nothing is left."""
        stake = super().custom_stake_amount(  # type: ignore[misc] # IStrategy has it
            pair=pair,
            current_time=current_time,
            current_rate=current_rate,
            proposed_stake=proposed_stake,
            min_stake=min_stake,
            max_stake=max_stake,
            leverage=leverage,
            entry_tag=entry_tag,
            side=side,
            **kwargs,
        )
        if not stake:
            return float(stake or 0.0)
        entry = self._perphedge_new(pair, side, leverage)
        allowed_usd = self._perphedge_allows(entry, stake * leverage)
        if allowed_usd >= stake * leverage * (1 - _ROUNDING):
            return float(stake)
        reduced = allowed_usd / leverage
        if min_stake is None or reduced >= min_stake:
            return reduced
        if allowed_usd:  # freqtrade opens nothing so small
            self._perphedge_cancels(entry)
        return 0.0

    def confirm_trade_entry(  # noqa: PLR0917 - freqtrade's signature
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: Any,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        """Asks again about what is really ordered, at its real price."""
        wanted = super().confirm_trade_entry(  # type: ignore[misc] # IStrategy has it
            pair=pair,
            order_type=order_type,
            amount=amount,
            rate=rate,
            time_in_force=time_in_force,
            current_time=current_time,
            entry_tag=entry_tag,
            side=side,
            **kwargs,
        )
        entry = self._perphedge_asked(pair, side)
        notional_usd = amount * rate
        if not wanted:
            self._perphedge_cancels(entry)
            return False
        if self._perphedge_allows(entry, notional_usd) < notional_usd * (1 - _ROUNDING):
            self._perphedge_cancels(entry)
            return False
        return True

    def adjust_trade_position(  # noqa: PLR0917 - freqtrade's signature
        self,
        trade: Any,
        current_time: Any,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: Any,
    ) -> Any:
        """Additions to a position are asked about too; reductions never."""
        change = super().adjust_trade_position(  # type: ignore[misc] # IStrategy has it
            trade=trade,
            current_time=current_time,
            current_rate=current_rate,
            current_profit=current_profit,
            min_stake=min_stake,
            max_stake=max_stake,
            current_entry_rate=current_entry_rate,
            current_exit_rate=current_exit_rate,
            current_entry_profit=current_entry_profit,
            current_exit_profit=current_exit_profit,
            **kwargs,
        )
        stake, tag = change if isinstance(change, tuple) else (change, None)
        if not stake or stake <= 0:
            return change
        leverage = float(getattr(trade, "leverage", 1.0) or 1.0)
        side = "short" if trade.is_short else "long"
        entry = self._perphedge_addition(trade, side, leverage)
        left = self._perphedge_allows(entry, stake * leverage) / leverage
        if left >= stake * (1 - _ROUNDING):
            return change
        if left <= 0:
            return None
        if min_stake is not None and left < min_stake:
            self._perphedge_cancels(entry)
            return None
        return left if tag is None else (left, tag)

    def _perphedge_entries(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The last entry that was asked about, by pair and side."""
        found: dict[tuple[str, str], dict[str, Any]] = self.__dict__.setdefault(
            "_perphedge_last", {}
        )
        return found

    def _perphedge_new(self, pair: str, side: str, leverage: float) -> dict[str, Any]:
        """An entry before its order, under one name for each pair and side.

        freqtrade has one trade for a pair: when it asks anew, the order before came to nothing or
        its trade is over, and the new entry takes the old one's place.
        """
        entry = {**self._perphedge_asked(pair, side), "leverage": leverage}
        self._perphedge_entries()[pair, side] = entry
        return dict(entry)

    def _perphedge_asked(self, pair: str, side: str) -> dict[str, Any]:
        """The entry whose stake was asked about; it stays the same where its order is replaced."""
        entries = self._perphedge_entries()
        if (pair, side) not in entries:
            entries[pair, side] = self._perphedge_entry(pair, side, f"{side}-{time.time_ns():x}")
        return dict(entries[pair, side])

    def _perphedge_addition(self, trade: Any, side: str, leverage: float) -> dict[str, Any]:
        """An addition: the same until freqtrade has made an order of it."""
        number, orders = getattr(trade, "id", None), getattr(trade, "orders", None)
        which = time.time_ns() if number is None or orders is None else f"{number}-{len(orders)}"
        entry = self._perphedge_entry(trade.pair, side, f"add-{which}")
        return {**entry, "leverage": leverage}

    def _perphedge_allows(self, entry: dict[str, Any], notional_usd: float) -> float:
        """USD of notional; all of it, or nothing, where there is no answer."""
        if not self._perphedge_asks() or notional_usd <= 0:
            return notional_usd
        side, pair = entry["side"], entry["symbol"]
        try:
            answer = self._perphedge_send(
                "/v1/entry-check", {"notional_usd": notional_usd, **entry}
            )
            allowed_usd = float(answer["allowed_usd"])
            verdict, reason = str(answer["verdict"]), str(answer["reason"])
            if not 0 <= allowed_usd <= notional_usd * (1 + _ROUNDING):
                raise ValueError(f"allowed_usd is {allowed_usd}")
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            allowed_usd = notional_usd if self.perphedge_fail_open else 0.0
            verdict = "allowed" if self.perphedge_fail_open else "refused"
            reason = f"no answer of perphedge: {error}"
        say = logger.info if verdict == "allowed" else logger.warning
        say("perphedge: %s %s of %.0f USD: %s (%s)", side, pair, notional_usd, verdict, reason)
        return min(max(allowed_usd, 0.0), notional_usd)

    def _perphedge_cancels(self, entry: dict[str, Any]) -> None:
        """The entry is not made, so its room is free again; without a word it is after a while."""
        last = self._perphedge_entries().get((entry["symbol"], entry["side"]))
        if last is not None and last["entry_id"] == entry["entry_id"]:
            del self._perphedge_entries()[entry["symbol"], entry["side"]]
        if not self._perphedge_asks():
            return
        try:
            asked = {name: value for name, value in entry.items() if name != "leverage"}
            self._perphedge_send("/v1/entry-cancel", asked)
        except (OSError, http.client.HTTPException, ValueError, TypeError, AttributeError) as error:
            logger.info("perphedge: could not take an entry back: %s", error)

    def _perphedge_entry(self, pair: str, side: str, entry_id: str) -> dict[str, Any]:
        config = getattr(self, "config", None) or {}
        bot = self.perphedge_bot or config.get("bot_name") or "freqtrade"
        return {"bot": bot, "symbol": pair, "side": side, "entry_id": entry_id}

    def _perphedge_asks(self) -> bool:
        """Not in backtests, whose entries are of another day."""
        runmode = getattr(getattr(self, "dp", None), "runmode", None)
        return getattr(runmode, "value", None) in _ASKS_IN

    def _perphedge_send(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Raises OSError, HTTPException or ValueError: there is no answer."""
        url = urlsplit(self.perphedge_url)
        if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("perphedge_url must be https beyond this machine")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self.perphedge_timeout_seconds)
        headers = {
            "Authorization": f"Bearer {self._perphedge_token()}",
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", path, json.dumps(document).encode(), headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{answer.status}: {found.get('error', 'refused')}")
        return dict(found)

    def _perphedge_token(self) -> str:
        if self.perphedge_token_file:
            return Path(self.perphedge_token_file).read_text(encoding="utf-8").strip()
        return os.environ.get("PERPHEDGE_BOT_TOKEN", "").strip()
