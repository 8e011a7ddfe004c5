"""The document of a finished replay, from its journal and its arrays."""

from dataclasses import asdict
from typing import Any

import numpy as np

from bot.feeds.array_tape import ArrayTape
from bot.journal.reader import JournalReader
from bot.records.cycle import iso_utc
from bot.replay.figures import DAY_HOURS, effectiveness_daily, result_of
from bot.replay.holdings import Holdings, funding_gains_usd, last_known, price_gains_usd
from bot.replay.play import Played
from bot.replay.stage import ReplayStage
from bot.replay.tally import Tally
from risk.book import FloatArray
from risk.errors import DataError

_BP = 1e4


def document_of(
    stage: ReplayStage, played: Played, journal: JournalReader, capital_usd: float
) -> dict[str, Any]:
    """Everything that ``perphedge replay --json`` prints.

    Args:
        capital_usd: what volatility is a fraction of.

    Raises:
        DataError: the hedge account could not be read at its start or end.
    """
    alone = bot_gains_usd(stage)
    hedges = hedge_gains_usd(played.equity_usd)
    tally = Tally(journal.cycles_since())
    ledger = journal.ledger(stage.settings.venue.account)
    days = len(alone) / DAY_HOURS
    gross = _mean_gross_usd(stage)
    slippage = tally.slippage_usd
    cost = None if slippage is None else float(ledger.fees_usd) + slippage
    return {
        "from": iso_utc(int(stage.hours_ms[0])),
        "to": iso_utc(int(stage.hours_ms[-1])),
        "hours": len(alone),
        "bot_symbols": list(stage.holdings.symbols),
        "bot_gross_usd": gross,
        "capital_usd": capital_usd,
        "statuses": dict(sorted(tally.statuses.items())),
        "decisions": tally.decisions,
        "decisions_per_second": played.decisions / played.seconds if played.hours else None,
        "seconds": played.seconds,
        "unhedged": asdict(result_of(alone, capital_usd)),
        "hedged": asdict(result_of(alone + hedges, capital_usd)),
        "effectiveness_daily": effectiveness_daily(alone, alone + hedges),
        "hedge_pnl_usd": float(hedges.sum()),
        "turnover_per_day": _a_day(float(ledger.traded_usd), gross, days),
        "fees_usd": float(ledger.fees_usd),
        "slippage_usd": slippage,
        "cost_bps_per_day": None if cost is None else _scaled(_a_day(cost, gross, days), _BP),
        "funding_usd": float(ledger.funding_usd),
        "funding_substituted_usd": _substituted_usd(stage, journal),
        "funding_substituted": _substituted(stage, journal),
        "breaches": dict(sorted(tally.breaches.items())),
        "breach_hours": tally.breach_hours,
        "unmeasured_hours": tally.unmeasured,
    }


def bot_gains_usd(stage: ReplayStage) -> FloatArray:
    """(T,) what the bot's positions earned in each hour, prices and funding, its own fees aside."""
    holdings, close = stage.holdings, stage.close
    return price_gains_usd(holdings, close) + funding_gains_usd(
        holdings, close, _payments(stage.tape, holdings)
    )


def hedge_gains_usd(equity_usd: FloatArray) -> FloatArray:
    """(T,) change of the hedge account in each hour.

    Where a cycle could not read it, the hours in between belong to the next that could.

    Raises:
        DataError: the first or the last is not known.
    """
    if np.isnan(equity_usd[0]) or np.isnan(equity_usd[-1]):
        raise DataError("the hedge account could not be read at the start or the end of the replay")
    return np.diff(last_known(equity_usd[:, None])[:, 0])


def _payments(tape: ArrayTape, holdings: Holdings) -> list[tuple[int, Any, FloatArray]]:
    first_ms, last_ms = int(holdings.time_ms[0]), int(holdings.time_ms[-1])
    found = []
    for column, symbol in enumerate(holdings.symbols):
        series = tape.funding_series(symbol, first_ms + 1, last_ms + 1)
        if series is not None:
            found.append((column, series.time_ms, series.rate))
    return found


def _substituted(stage: ReplayStage, journal: JournalReader) -> list[str]:
    """Symbols of bot and hedges with funding of another venue or at the pinned rate."""
    first_ms, last_ms = int(stage.hours_ms[0]), int(stage.hours_ms[-1])
    paid = journal.funding_receipts(stage.settings.venue.account)
    symbols = {*stage.holdings.symbols, *(receipt.symbol for receipt in paid)}
    found = []
    for symbol in sorted(symbols):
        series = stage.tape.funding_series(symbol, first_ms, last_ms + 1)
        if series is not None and series.substitute:
            found.append(symbol)
    return found


def _substituted_usd(stage: ReplayStage, journal: JournalReader) -> float:
    """What the hedges received at rates that are not the exchange's own, USD."""
    total = 0.0
    for receipt in journal.funding_receipts(stage.settings.venue.account):
        time_ms = receipt.timestamp_ms
        series = stage.tape.funding_series(receipt.symbol, time_ms, time_ms + 1)
        if series is None or series.substitute:
            total += float(receipt.amount_usd)
    return total


def _mean_gross_usd(stage: ReplayStage) -> float:
    """Mean over the hours of the bot's gross notional."""
    notional = stage.holdings.quantity_base * np.nan_to_num(last_known(stage.close))
    return float(np.abs(notional).sum(axis=1)[:-1].mean())


def _a_day(usd: float, gross_usd: float, days: float) -> float | None:
    """A day's part of an amount, as a fraction of the bot's gross notional."""
    return usd / gross_usd / days if gross_usd > 0 else None


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
