"""The facts of one hedge decision, from a generated or a recorded market."""

from pathlib import Path

import numpy as np

from bot.feeds.generated import generated_tape
from bot.feeds.recorded import recorded_tape
from bot.feeds.tape import DAY_MS, Tape
from bot.measuring.universe import build_universe
from config.aliases import load_aliases
from config.choices import choices
from config.load import load_settings, profile_path
from config.sectors import load_sectors
from config.settings import Settings
from risk.correlation.clusters import beta, cluster
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.crowding.funding import FundingDaily, funding_daily
from risk.liquidity import average_daily_volume_usd
from risk.returns import HOUR_MS, log_returns
from strategies.inputs import HedgeChoices, HedgeFacts

SYMBOLS = 20
EQUITY_USD = 60_000.0
_GROSS_USD = 40_000.0
_HELD = 6
_HISTORY_DAYS = 60
_LATER_DAYS = 150  # by then every token of the generated market has been listed for long
_UNKNOWN_FUNDING = FundingDaily(rate_daily=0.0003, standard_error=0.0003, substitute=True)


def demo_choices() -> HedgeChoices:
    """Caps and tuning of the demo profile."""
    return choices(load_settings(profile_path("demo")), EQUITY_USD)


def generated_facts(seed: int = 7) -> HedgeFacts:
    """A seeded market, months after its start."""
    tape = generated_tape(seed, 1_750_000_000_000)
    return decision_facts(tape, tape.start_ms + _LATER_DAYS * DAY_MS)


def recorded_facts(folder: Path) -> HedgeFacts:
    """Real prices and funding, in the middle of the record."""
    settings = load_settings(profile_path("demo"))
    tape = recorded_tape(folder, aliases=load_aliases(settings.universe.aliases_file))
    assert tape.end_ms is not None
    return decision_facts(tape, (tape.start_ms + tape.end_ms) // 2 // HOUR_MS * HOUR_MS)


def decision_facts(tape: Tape, now_ms: int) -> HedgeFacts:
    """``SYMBOLS`` tokens without a gap; the bot is long the ``_HELD`` that move most alike."""
    symbols, benchmark = _complete_symbols(load_settings(profile_path("demo")), tape, now_ms)
    panel = tape.panel(symbols, now_ms - _HISTORY_DAYS * DAY_MS, now_ms, now_ms)
    estimate = mean_ewma_covariance(log_returns(panel), symbols)
    alike = np.argsort(-estimate.correlation.mean(axis=0), kind="stable")[:_HELD]
    bot_usd = np.zeros(len(symbols))
    bot_usd[alike] = _GROSS_USD / _HELD
    quotes = [tape.quotes(now_ms)[s] for s in symbols]
    instruments = [tape.instruments[s] for s in symbols]
    price = np.array([q.mark for q in quotes])
    series = (tape.funding_series(s, now_ms - 45 * DAY_MS, now_ms + 1) for s in symbols)
    carry = [funding_daily(one, now_ms) or _UNKNOWN_FUNDING for one in series]
    n = len(symbols)
    return HedgeFacts(
        timestamp_ms=now_ms,
        symbols=tuple(symbols),
        bot_usd=bot_usd,
        hedge_usd=np.zeros(n),
        covariance_daily=estimate.covariance_daily,
        volatility_btc_daily=float(estimate.volatility_daily[symbols.index(benchmark)]),
        beta_btc=beta(estimate, benchmark).value,
        price_usd=price,
        lot_usd=np.array([float(i.lot) for i in instruments]) * price,
        min_trade_usd=np.array([float(i.min_notional_usd) for i in instruments]),
        half_spread=np.array([(q.ask - q.bid) / (q.ask + q.bid) for q in quotes]),
        taker_fee=np.array([i.taker_fee for i in instruments]),
        funding_daily=np.array([c.rate_daily for c in carry]),
        funding_daily_se=np.array([c.standard_error for c in carry]),
        adv_usd=np.asarray(average_daily_volume_usd(panel)),
        crowding=np.zeros(n),
        may_hedge=bot_usd == 0,
        in_sector=np.array([s != benchmark for s in symbols]),
        cluster=cluster(estimate.correlation, estimate.symbols).labels,
        initial_margin_rate=np.full(n, 0.05),
        equity_usd=EQUITY_USD,
        risk_equity_usd=_GROSS_USD,
        turnover_used_usd=0.0,
    )


def _complete_symbols(settings: Settings, tape: Tape, now_ms: int) -> tuple[list[str], str]:
    """The benchmarks and the sector's first tokens whose history is whole, and the benchmark."""
    sector = load_sectors(settings.universe.sectors_file)[settings.universe.sector]
    listed = build_universe(sector.subsector_of, settings.universe.benchmarks, tape.instruments)
    panel = tape.panel(listed.symbols, now_ms - _HISTORY_DAYS * DAY_MS, now_ms, now_ms)
    whole = np.asarray(~np.isnan(panel.close).any(axis=0)).tolist()
    quotes = tape.quotes(now_ms)
    usable = [s for s, ok in zip(panel.symbols, whole, strict=True) if ok and s in quotes]
    first = [s for s in usable if s in listed.benchmarks]
    rest = [s for s in usable if s not in listed.benchmarks]
    return sorted([*first, *rest][:SYMBOLS]), listed.benchmarks[0]
