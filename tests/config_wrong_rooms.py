"""Wrong exchanges, sources and universes, caps beside controls: configs and the line for each."""

from tests.config_words import (
    BENCHMARKS,
    EXCHANGES,
    GOOD,
    LOOPBACK,
    NAME,
    NO_SOURCES,
    NO_VENUE,
    SECRETS,
    SOURCES,
    STATE,
    SYMBOL,
    VENUE,
    sources,
    venue,
)

WRONG_ROOMS = {
    # venue
    "no venue": (
        NO_VENUE,
        "venue: missing — a mapping with the keys env_prefix, api_key_file, api_secret_file, "
        "api_passphrase_file, keyring_service, exchange, account, ownership, urls_host, "
        "paper_wallet_usd",
    ),
    "key of an earlier version": (
        venue("shared_account: true"),
        "venue.shared_account: unknown key — replaced by venue.ownership: sub_account for false, "
        "shared (or hedge_mode) for true",
    ),
    "hedges that may be long beside the bot's longs": (
        venue("ownership: hedge_mode") + "hedge: {shorts_only: false}",
        "hedge.shorts_only: false — true with venue.ownership: hedge_mode, where the shorts are "
        "ours and the longs the bot's",
    ),
    "no exchange": (
        NO_VENUE + "venue: {account: h}",
        f"venue.exchange: missing — {EXCHANGES}",
    ),
    "unknown exchange": (
        venue("ownership: shared", exchange="mexc"),
        f'venue.exchange: "mexc" — {EXCHANGES}',
    ),
    "exchange by its other name": (
        venue("ownership: shared", exchange="binance"),
        f'venue.exchange: "binance" — {EXCHANGES}; did you mean binanceusdm?',
    ),
    "account name with a space": (
        NO_VENUE + "venue: {exchange: bybit, account: my account}",
        f'venue.account: "my account" — {NAME}',
    ),
    "long account name": (
        NO_VENUE + f"venue: {{exchange: bybit, account: {'a' * 64}}}",
        f'venue.account: "aaaaaaaa…" (64 characters) — {NAME}',
    ),
    "URL elsewhere": (
        venue("urls_host: 'api.example.com:443'"),
        f'venue.urls_host: "api.example.com:443" — {LOOPBACK}',
    ),
    "URL with a scheme": (
        venue("urls_host: 'http://127.0.0.1:1'"),
        f'venue.urls_host: "http://127.0.0.1:1" — {LOOPBACK}',
    ),
    "address that only begins like loopback": (
        venue("urls_host: '127.0.0.1:80@evil.example'"),
        f'venue.urls_host: "127.0.0.1:80@evil.example" — {LOOPBACK}',
    ),
    "line break after the address": (
        venue('urls_host: "127.0.0.1:80\\n"'),
        f'venue.urls_host: "127.0.0.1:80\\n" — {LOOPBACK}',
    ),
    "port out of range": (
        venue("urls_host: '127.0.0.1:65536'"),
        f'venue.urls_host: "127.0.0.1:65536" — {LOOPBACK}',
    ),
    "simulated exchange of another kind": (
        venue("urls_host: '127.0.0.1:18080'", exchange="bybit"),
        'venue.urls_host: "127.0.0.1:18080" — only with exchange binanceusdm, which the '
        "simulated exchange speaks, not bybit",
    ),
    "demo on another exchange": (
        STATE + SOURCES + "mode: demo\nvenue: {exchange: okx, account: h}",
        'venue.exchange: "okx" — binanceusdm in mode demo',
    ),
    "empty paper wallet": (
        venue("paper_wallet_usd: 0"),
        "venue.paper_wallet_usd: 0 — a number from 10 to 1000000000 (USD)",
    ),
    "secret in the file": (venue("api_secret: 0123456789"), f"venue.api_secret: {SECRETS}"),
    "key in the file": (GOOD + "apiKey: 0123456789", f"apiKey: {SECRETS}"),
    "half a key": (
        venue("api_key_file: key"),
        "venue.api_secret_file: missing — api_key_file and api_secret_file go together",
    ),
    "no passphrase": (
        venue("api_key_file: k, api_secret_file: s", exchange="okx"),
        "venue.api_passphrase_file: missing — keys of okx have three parts: key, secret and "
        "passphrase",
    ),
    "passphrase too many": (
        venue("api_key_file: k, api_secret_file: s, api_passphrase_file: p"),
        "venue.api_passphrase_file: (not shown) — only for bitget, kucoinfutures, okx; keys of "
        "binanceusdm have none",
    ),
    "files and keyring": (
        venue("api_key_file: k, api_secret_file: s, keyring_service: r"),
        "venue.keyring_service: (not shown) — not beside api_key_file: one or the other",
    ),
    # sources
    "no sources": (
        NO_SOURCES,
        "sources: no source — at least one, or venue.ownership: shared or hedge_mode; without "
        "positions there is nothing to hedge",
    ),
    "sources as a mapping": (
        sources("{kind: file, name: a, path: p}"),
        "sources: a mapping — a list of sources, each with kind and name",
    ),
    "source as text": (
        sources("[positions.json]"),
        'sources[0]: "positions.json" — a mapping with kind (account, file, freqtrade, hummingbot '
        "or pushed), name and more",
    ),
    "source without kind": (
        sources("[{name: a, path: p}]"),
        "sources[0].kind: missing — one of: account, file, freqtrade, hummingbot, pushed",
    ),
    "nautilus is not there yet": (
        sources("[{kind: nautilus, name: bot-a}]"),
        'sources[0].kind: "nautilus" — not available in this version; available: account, file, '
        "freqtrade, hummingbot, pushed",
    ),
    "unknown kind": (
        sources("[{kind: telepathy, name: a}]"),
        'sources[0].kind: "telepathy" — one of: account, file, freqtrade, hummingbot, pushed',
    ),
    "api beyond this machine": (
        GOOD + "api: {host: 0.0.0.0}",
        'api.host: "0.0.0.0" — 127.0.0.1, ::1 or localhost; elsewhere only with certificate_file '
        "and certificate_key_file",
    ),
    "half a certificate": (
        GOOD + "api: {certificate_file: a.pem}",
        "api.certificate_key_file: missing — certificate_file and certificate_key_file go together",
    ),
    "source without path": (
        sources("[{kind: file, name: a}]"),
        "sources[0].path: missing — the path of a file",
    ),
    "key of another kind of source": (
        sources("[{kind: file, name: a, path: p, account: main}]"),
        "sources[0].account: unknown key here — did you mean venue.account?",
    ),
    "source that never ages": (
        sources("[{kind: file, name: a, path: p, max_age_seconds: 1e9}]"),
        "sources[0].max_age_seconds: 1000000000 — a number from 1 to 86400 (seconds)",
    ),
    "two sources of one name": (
        sources("[{kind: file, name: a, path: p}, {kind: file, name: a, path: q}]"),
        'sources[1].name: "a" — a name of its own, sources[0] has this one',
    ),
    "hedge account as a source": (
        sources("[{kind: account, name: bot, exchange: binanceusdm, account: hedge-sub}]"),
        'sources[0].account: "hedge-sub" — another account than venue.account, whose hedges '
        "would be taken for the bot's; where the bot trades in it too, leave this source out "
        "and set venue.ownership to shared or hedge_mode",
    ),
    "simulated positions, real hedges": (
        STATE + VENUE + "mode: live\nsources: [{kind: account, name: b, exchange: binanceusdm, "
        "urls_host: '127.0.0.1:18080'}]",
        'sources[0].urls_host: "127.0.0.1:18080" — in live mode either every account is on a '
        "simulated exchange or none: real and simulated positions do not hedge each other",
    ),
    # data.venues
    "data of the hedges' own exchange": (
        GOOD + "data: {venues: [{exchange: binanceusdm}]}",
        'data.venues[0].exchange: "binanceusdm" — another exchange than venue.exchange, whose '
        "data are those of the hedges",
    ),
    "data of one exchange twice": (
        GOOD + "data: {venues: [{exchange: bybit}, {exchange: bybit, testnet: true}]}",
        'data.venues[1].exchange: "bybit" — each exchange only once, data.venues[0] is this one',
    ),
    "simulated data beside real ones": (
        GOOD + "data: {venues: [{exchange: bybit, urls_host: '127.0.0.1:18081'}]}",
        'data.venues[0].urls_host: "127.0.0.1:18081" — simulated where venue.urls_host is, and '
        "real where it is not: prices of the one tell nothing of the other's",
    ),
    "test network that is not there": (
        GOOD + "data: {venues: [{exchange: kucoinfutures, testnet: true}]}",
        "data.venues[0].testnet: true — only without urls_host, for bingx, bitget, bybit, gate, "
        "hyperliquid, okx, paradex",
    ),
    "data of an exchange that cannot be read": (
        GOOD + "data: {venues: [{exchange: dydx}]}",
        f'data.venues[0].exchange: "dydx" — {EXCHANGES}',
    ),
    # universe
    "unknown sector": (GOOD + "universe: {sector: defi}", 'universe.sector: "defi" — one of: ai'),
    "benchmark in small letters": (
        GOOD + "universe: {benchmarks: [btc/usdt:usdt]}",
        f'universe.benchmarks[0]: "btc/usdt:usdt" — {SYMBOL}',
    ),
    "benchmark by the venue's own name": (
        GOOD + "universe: {benchmarks: [BTCUSDT]}",
        f'universe.benchmarks[0]: "BTCUSDT" — {SYMBOL}',
    ),
    "one benchmark as text": (
        GOOD + "universe: {benchmarks: BTC/USDT:USDT}",
        f'universe.benchmarks: "BTC/USDT:USDT" — {BENCHMARKS}',
    ),
    "no benchmark": (
        GOOD + "universe: {benchmarks: []}",
        f"universe.benchmarks: an empty list — {BENCHMARKS}",
    ),
    "not in BTC": (
        GOOD + "universe: {benchmarks: [ETH/USDT:USDT]}",
        "universe.benchmarks: a list — BTC first, such as BTC/USDT:USDT: beta and exposure are "
        "counted in it, not in ETH/USDT:USDT",
    ),
    "repeated token": (
        GOOD + "universe: {exclude: [FET, FET]}",
        "universe.exclude: a list — each only once, FET is repeated",
    ),
    "wanted and unwanted": (
        GOOD + "universe: {allow: [FET/USDT:USDT], exclude: [FET]}",
        'universe.allow[0]: "FET/USDT:USDT" — not in universe.exclude as well',
    ),
    "without the reference": (
        GOOD + "universe: {exclude: [BTC]}",
        'universe.exclude[0]: "BTC" — not the first benchmark, in which beta and exposure are '
        "counted; to place no hedge in it, leave it out of universe.allow",
    ),
    "sectors file that is not there": (
        GOOD + "universe: {sectors_file: /nowhere/sectors.yaml}",
        'universe.sectors_file: "/nowhere/sectors.yaml" — a file; there is none of this name',
    ),
    # caps against controls
    "gross cap above its control": (
        GOOD + "caps: {hedge_gross_equity_fraction: 2}",
        "caps.hedge_gross_equity_fraction: 2 — at most controls.hedge_gross_equity_fraction (1), "
        "or the hedges planned up to the cap would be denied",
    ),
    "margin cap above its control": (
        GOOD + "caps: {margin_use: 0.8}",
        "caps.margin_use: 0.8 — at most 1 - controls.min_free_margin (0.7), or the hedges "
        "planned up to the cap would be denied",
    ),
}
