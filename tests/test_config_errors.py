"""Every wrong configuration is refused in one line: file, field, value, what is allowed."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load_settings

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
    "stress_use"
)
TOP = (
    "mode, autonomy, state_dir, venue, sources, universe, caps, macro, calendar, hedge, stress, "
    "controls, execution, costs, ownership, streams, data, log"
)
DURATION = "a duration such as 60s, 15m, 4h or 1d, from 1m to 7d"


def venue(more: str, exchange: str = "binanceusdm") -> str:
    """A good file with one more key in the venue."""
    return f"{NO_VENUE}venue: {{exchange: {exchange}, account: h, {more}}}\n"


def sources(entry: str) -> str:
    """A good file with this as its sources."""
    return f"{NO_SOURCES}sources: {entry}\n"


WRONG = {
    # numbers, units, wrong types
    "percent in place of a fraction": (
        GOOD + "caps: {adv_share: 5}",
        f"caps.adv_share: 5 — a number above 0 and at most 0.2 {FRACTION}, or null (no cap)",
    ),
    "percent of margin": (
        GOOD + "caps: {margin_use: 50}",
        f"caps.margin_use: 50 — a number above 0 and at most 1 {FRACTION}, or null (no cap)",
    ),
    "percent of gross": (
        GOOD + "caps: {hedge_gross_equity_fraction: 100}",
        "caps.hedge_gross_equity_fraction: 100 — a number above 0 and at most 5 (1.0 means "
        "100 %), or null (no cap)",
    ),
    "fraction in place of dollars": (
        GOOD + "caps: {net_usd: 0.2}",
        f"caps.net_usd: 0.2 — {USD_CAP}",
    ),
    "negative cap": (GOOD + "caps: {net_usd: -20000}", f"caps.net_usd: -20000 — {USD_CAP}"),
    "cap of zero": (GOOD + "caps: {token_usd: 0}", f"caps.token_usd: 0 — {USD_CAP}"),
    "huge cap": (GOOD + "caps: {cae_usd: 1e30}", f"caps.cae_usd: 1.000e+30 — {USD_CAP}"),
    "not a number": (GOOD + "caps: {cae_usd: .nan}", f"caps.cae_usd: nan — {USD_CAP}"),
    "infinite": (GOOD + "caps: {cae_usd: .inf}", f"caps.cae_usd: inf — {USD_CAP}"),
    "overflowing number": (GOOD + "caps: {cae_usd: 1e999}", f"caps.cae_usd: inf — {USD_CAP}"),
    "five thousand digits": (
        GOOD + "caps: {cae_usd: " + "9" * 5000 + "}",
        f"caps.cae_usd: inf — {USD_CAP}",
    ),
    "true as a number": (GOOD + "caps: {net_usd: true}", f"caps.net_usd: true — {USD_CAP}"),
    "number as text": (GOOD + "caps: {net_usd: '2'}", f'caps.net_usd: "2" — {USD_CAP}'),
    "number with underscore": (
        GOOD + "caps: {net_usd: 20_000}",
        f'caps.net_usd: "20_000" — {USD_CAP}',
    ),
    "number with a unit": (
        GOOD + "caps: {net_usd: 20000 USD}",
        f'caps.net_usd: "20000 USD" — {USD_CAP}',
    ),
    "octal": (GOOD + "caps: {net_usd: 020000}", f'caps.net_usd: "020000" — {USD_CAP}'),
    "list as a number": (GOOD + "caps: {net_usd: [1]}", f"caps.net_usd: a list — {USD_CAP}"),
    "broken number of days": (
        GOOD + "universe: {min_history_days: 14.5}",
        "universe.min_history_days: 14.5 — a whole number from 1 to 365 (days)",
    ),
    "collar of everything": (
        GOOD + "controls: {collar: 1}",
        "controls.collar: 1 — a number above 0 and at most 0.1 (a fraction: 0.01 means 1 %)",
    ),
    "all margin free": (
        GOOD + "controls: {min_free_margin: 1}",
        "controls.min_free_margin: 1 — a number from 0 and below 1 (0.3 means 30 %)",
    ),
    "yes is text": (GOOD + "hedge: {shorts_only: yes}", 'hedge.shorts_only: "yes" — true or false'),
    "one is not true": (GOOD + "hedge: {shorts_only: 1}", "hedge.shorts_only: 1 — true or false"),
    "duration without unit": (
        GOOD + "hedge: {decide_every: 4}",
        f"hedge.decide_every: 4 — {DURATION}",
    ),
    "sexagesimal duration": (
        GOOD + "hedge: {decide_every: 4:00}",
        f'hedge.decide_every: "4:00" — {DURATION}',
    ),
    "too long a duration": (
        GOOD + "hedge: {decide_every: 30d}",
        f'hedge.decide_every: "30d" — {DURATION}',
    ),
    "decides more often than it looks": (
        GOOD + "hedge: {decide_every: 1m, monitor_every: 1h}",
        "hedge.decide_every: 1m — at least hedge.monitor_every (1h)",
    ),
    # keys
    "mistyped key": (
        GOOD + "caps: {net_us: 1}",
        "caps.net_us: unknown key — did you mean net_usd?",
    ),
    "cap without its unit": (
        GOOD + "caps: {token: 10000}",
        "caps.token: unknown key — did you mean token_usd?",
    ),
    "mistyped section": (GOOD + "cap: {}", "cap: unknown key — did you mean caps?"),
    "key of another section": (
        GOOD + "net_usd: 20000",
        "net_usd: unknown key here — did you mean caps.net_usd?",
    ),
    "unknown key": (GOOD + "colour: red", f"colour: unknown key — known here: {TOP}"),
    "unknown cap": (GOOD + "caps: {var: 1}", f"caps.var: unknown key — known here: {CAPS}"),
    "two unknown keys": (
        GOOD + "colour: red\nsize: 3",
        f"colour: unknown key — known here: {TOP} (and 1 more)",
    ),
    "merge key": (GOOD + "caps: {<<: {}}", f"caps.<<: unknown key — known here: {CAPS}"),
    "key with a line break": (
        GOOD + '"col\\nour": red',
        f"col\\nour: unknown key — known here: {TOP}",
    ),
    "section without content": (
        GOOD + "caps:\n",
        f"caps: null — a mapping with the keys {CAPS}",
    ),
    "section as a list": (
        GOOD + "caps: [net_usd]",
        f"caps: a list — a mapping with the keys {CAPS}",
    ),
    "no mode": (STATE + VENUE + SOURCES, "mode: missing — one of: paper, live, demo"),
    "no state_dir": (MODE + VENUE + SOURCES, "state_dir: missing — the path of a folder"),
    "empty state_dir": (
        MODE + VENUE + SOURCES + "state_dir: ''",
        'state_dir: "" — the path of a file or folder: not empty, without control characters',
    ),
    "number as a path": (
        MODE + VENUE + SOURCES + "state_dir: 3",
        "state_dir: 3 — the path of a file or folder, as text",
    ),
    "unknown home": (
        MODE + VENUE + SOURCES + "state_dir: ~nobody-of-this-name/s",
        'state_dir: "~nobody-of-this-name/s" — a path whose ~ names a user of this machine',
    ),
    # choices
    "unknown mode": (
        STATE + VENUE + SOURCES + "mode: papr",
        'mode: "papr" — one of: paper, live, demo; did you mean paper?',
    ),
    "replay is a command": (
        STATE + VENUE + SOURCES + "mode: replay",
        'mode: "replay" — not available in this version; available: paper, live, demo',
    ),
    "approve is not there yet": (
        GOOD + "autonomy: approve",
        'autonomy: "approve" — not available in this version; available: propose, auto',
    ),
    "misspelt strategy": (
        GOOD + "hedge: {strategy: baskets}",
        'hedge.strategy: "baskets" — one of: none, pair, beta, basket, sample, ledoit_wolf, '
        "minimum_risk; or package.module:Class of your own; did you mean basket?",
    ),
    "strategy of a module that is not there": (
        GOOD + "hedge: {strategy: 'no_such_module:Calm'}",
        'hedge.strategy: "no_such_module:Calm" — cannot be made: ModuleNotFoundError: '
        "No module named 'no_such_module'",
    ),
    "unknown strategy": (
        GOOD + "hedge: {strategy: magic}",
        'hedge.strategy: "magic" — one of: none, pair, beta, basket, sample, ledoit_wolf, '
        "minimum_risk; or package.module:Class of your own",
    ),
    "loud log": (
        GOOD + "log: {level: loud}",
        'log.level: "loud" — one of: debug, info, warning, error',
    ),
    "too much history": (
        GOOD + "data: {backfill_days: 4000}",
        "data.backfill_days: 4000 — a whole number from 15 to 400 (days)",
    ),
    "less history than needed": (
        GOOD + "universe: {min_history_days: 90}",
        "data.backfill_days: 60 — at least universe.min_history_days (90), or no token could "
        "ever carry a hedge",
    ),
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
        'sources[0]: "positions.json" — a mapping with kind (account or file), name and more',
    ),
    "source without kind": (
        sources("[{name: a, path: p}]"),
        "sources[0].kind: missing — one of: account, file",
    ),
    "freqtrade is not there yet": (
        sources('[{kind: freqtrade, name: bot-a, url: "http://127.0.0.1:8080"}]'),
        'sources[0].kind: "freqtrade" — not available in this version; available: account, file',
    ),
    "hummingbot is not there yet": (
        sources("[{kind: hummingbot, name: bot-a}]"),
        'sources[0].kind: "hummingbot" — not available in this version; available: account, file',
    ),
    "unknown kind": (
        sources("[{kind: telepathy, name: a}]"),
        'sources[0].kind: "telepathy" — one of: account, file',
    ),
    "source without path": (
        sources("[{kind: file, name: a}]"),
        "sources[0].path: missing — the path of a file",
    ),
    "key of another kind of source": (
        sources("[{kind: file, name: a, path: p, exchange: okx}]"),
        "sources[0].exchange: unknown key here — did you mean venue.exchange?",
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
    # YAML
    "empty": ("", "empty — a mapping of keys is needed"),
    "only a comment": ("# nothing\n", "empty — a mapping of keys is needed"),
    "a list": ("- mode: paper\n", "a list — a mapping of keys is needed"),
    "a word": ("paper", "a single value — a mapping of keys is needed"),
    "tab": ("venue:\n\texchange: okx\n", "line 2, column 1: a tab — indent with spaces"),
    "open bracket": (
        "sources: [1, 2\n",
        "line 2, column 1: expected ',' or ']', but got '<stream end>'",
    ),
    "colon without a space": (
        "mode: paper\nstate_dir./state\n",
        "line 3, column 1: could not find expected ':'",
    ),
    "key twice": (GOOD + "mode: live\n", "line 5, column 1: mode is given twice, first in line 1"),
    "nested key twice": (
        GOOD + "caps: {net_usd: 20000, net_usd: 99999}",
        "line 5, column 24: net_usd is given twice, first in line 5",
    ),
    "number as a key": (
        GOOD + "7: lucky",
        "line 5, column 1: a key must be text, in quotes where it looks like more",
    ),
    "list as a key": (
        GOOD + "[a]: b",
        "line 5, column 1: a key must be text, in quotes where it looks like more",
    ),
    "anchor": (
        GOOD + "caps: &c {}",
        "line 5, column 7: anchors and aliases (& and *) are not supported",
    ),
    "alias": (
        GOOD + "caps: *c",
        "line 5, column 7: anchors and aliases (& and *) are not supported",
    ),
    "tag": (
        GOOD + "caps: !!python/object/apply:os.system [ls]",
        "line 5, column 7: tags (!) are not supported",
    ),
    "second document": (
        GOOD + "---\nmode: live",
        "line 5, column 1: expected a single document in the stream, but found another document",
    ),
    "deep nesting": (
        GOOD + "caps: " + "[" * 5000,
        "line 5, column 26: nested deeper than 20 levels",
    ),
    "control character": (
        GOOD + "log: {level: \x07}",
        "line 5: the character U+0007 is not allowed — save the file as plain UTF-8 text",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_configuration_is_refused_in_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert str(caught.value) == f"{file}: {message}"
    assert len(str(caught.value).splitlines()) == 1


def test_the_table_is_large() -> None:
    assert len(WRONG) >= 40


def test_the_file_that_the_table_varies_is_good(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert load_settings(file).venue.account == "hedge-sub"
