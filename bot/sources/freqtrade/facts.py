"""Which freqtrade bot answers, whether it runs, and what it may enter. Pure."""

from dataclasses import dataclass
from typing import Final

from bot.sources.fields import flag, mapping, pair, text, whole
from bot.sources.json_file import shown
from risk.errors import DataError

CCXT_IDS: Final = {"binance": "binanceusdm", "gateio": "gate"}
"""Where freqtrade's name of an exchange in futures mode is not ccxt's id."""
RUNS: Final = frozenset({"running", "paused"})
"""States in which its loop looks after open trades."""
_STATES: Final = RUNS | {"stopped", "reload_config"}


@dataclass(frozen=True, slots=True)
class BotFacts:
    """Which bot answers.

    Attributes:
        trading_mode: ``futures``; any other is no source.
        exchange: ccxt's id.
        dry_run: its trades are imagined, on real prices.
        state: ``running``, ``paused``, ``stopped`` or ``reload_config``.
    """

    bot_name: str
    trading_mode: str
    exchange: str
    dry_run: bool
    stake_currency: str
    state: str

    @property
    def runs(self) -> bool:
        """Its loop looks after open trades."""
        return self.state in RUNS

    @property
    def unfit(self) -> str:
        """Why it can be no source, whatever it holds; empty where it can."""
        if self.trading_mode == "futures":
            return ""
        return (
            f"trading_mode: {shown(self.trading_mode)}, must be 'futures': what such a bot holds "
            "are no perpetuals"
        )

    def other_than(self, before: "BotFacts") -> str:
        """What makes it another bot than it was; empty where it is the same."""
        for name in ("exchange", "dry_run", "stake_currency"):
            was, now = getattr(before, name), getattr(self, name)
            if was != now:
                return f"{name} was {shown(was)} and is {shown(now)}"
        return ""


def ccxt_id(exchange: str) -> str:
    """Of an exchange as freqtrade calls it, in futures mode."""
    return CCXT_IDS.get(exchange, exchange)


def read_facts(document: object, where: str) -> BotFacts:
    """``GET /show_config``.

    Raises:
        DataError: something is missing or cannot be.
    """
    row = mapping(document, where)
    runmode = text(row, "runmode", where)
    if runmode not in ("live", "dry_run"):
        raise DataError(f"{where}.runmode: {shown(runmode)}, must be live or dry_run")
    state = text(row, "state", where)
    if state not in _STATES:
        raise DataError(
            f"{where}.state: {shown(state)}, must be one of {', '.join(sorted(_STATES))}"
        )
    dry_run = flag(row, "dry_run", where)
    if dry_run != (runmode == "dry_run"):
        raise DataError(f"{where}.dry_run: {shown(dry_run)}, but runmode is {shown(runmode)}")
    return BotFacts(
        bot_name=text(row, "bot_name", where),
        trading_mode=text(row, "trading_mode", where),
        exchange=ccxt_id(text(row, "exchange", where)),
        dry_run=dry_run,
        stake_currency=text(row, "stake_currency", where),
        state=state,
    )


def read_whitelist(document: object, where: str) -> frozenset[str]:
    """``GET /whitelist``: the pairs that it may enter.

    Raises:
        DataError: it is no list of pairs.
    """
    row = mapping(document, where)
    pairs = row.get("whitelist")
    if not isinstance(pairs, list):
        raise DataError(f"{where}.whitelist: {shown(pairs)}, must be a list")
    return frozenset(
        pair({"pair": one}, "pair", f"{where}.whitelist[{i}]") for i, one in enumerate(pairs)
    )


def read_count(document: object, where: str) -> int:
    """``GET /count``: how many trades are open."""
    return whole(mapping(document, where), "current", where)


def read_last_process_ms(document: object, where: str) -> int:
    """``GET /health``: when its loop last came to its end, UTC milliseconds.

    Raises:
        DataError: it is not told, as before the end of the first round.
    """
    return whole(mapping(document, where), "last_process_ts", where) * 1000
