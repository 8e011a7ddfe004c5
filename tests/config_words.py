"""A good config in parts, and what the lines that refuse a wrong one say again and again."""

MODE = "mode: paper\n"
STATE = "state_dir: ./state\n"
VENUE = "venue: {exchange: binanceusdm, account: hedge-sub}\n"
SOURCES = "sources: [{kind: file, name: manual, path: positions.json}]\n"
GOOD = MODE + STATE + VENUE + SOURCES
NO_SOURCES = MODE + STATE + VENUE
NO_VENUE = MODE + STATE + SOURCES

EXCHANGES = (
    "one of: binanceusdm, bybit, okx, hyperliquid, bitget, gate, kucoinfutures, bingx, paradex"
)
USD_CAP = "a number from 10 to 1000000000 (USD), or null (no cap)"
FRACTION = "(a fraction: 0.05 means 5 %)"
NAME = "a name of 1 to 32 letters, digits, . _ - that begins with a letter or digit"
SYMBOL = "a linear perpetual as ccxt writes it, such as FET/USDT:USDT"
BENCHMARKS = "a list of 1 to 5 perpetuals, such as [BTC/USDT:USDT, ETH/USDT:USDT], BTC first"
LOOPBACK = (
    "only a simulated exchange on this machine, as 127.0.0.1:PORT, or null (the exchange's own "
    "address)"
)
SECRETS = (
    "(not shown) — secrets do not belong in this file: set PERPHEDGE_API_KEY and "
    "PERPHEDGE_API_SECRET, or name api_key_file and api_secret_file, or keyring_service"
)
CAPS = (
    "token_usd, net_usd, sector_net_usd, cluster_net_usd, cluster_gross_usd, beta_net_usd, "
    "cae_usd, hedge_gross_equity_fraction, turnover_daily_equity_fraction, adv_share, margin_use, "
    "bot_margin_share, stress_use"
)
TOP = (
    "mode, autonomy, state_dir, venue, sources, universe, caps, macro, calendar, hedge, stress, "
    "controls, approval, alerts, execution, costs, ownership, streams, api, entry_check, "
    "web, data, log"
)
DURATION = "a duration such as 60s, 15m, 4h or 1d, from 1m to 7d"


def venue(more: str, exchange: str = "binanceusdm") -> str:
    """A good file with one more key in the venue."""
    return f"{NO_VENUE}venue: {{exchange: {exchange}, account: h, {more}}}\n"


def sources(entry: str) -> str:
    """A good file with this as its sources."""
    return f"{NO_SOURCES}sources: {entry}\n"
