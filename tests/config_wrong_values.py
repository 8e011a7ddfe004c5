"""Configs with a wrong number, key or choice, and the line that refuses each."""

from tests.config_words import (
    CAPS,
    DURATION,
    FRACTION,
    GOOD,
    MODE,
    SOURCES,
    STATE,
    TOP,
    USD_CAP,
    VENUE,
)

WRONG_VALUES = {
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
    "unknown autonomy": (
        GOOD + "autonomy: ask",
        'autonomy: "ask" — one of: propose, approve, auto',
    ),
    "approval without an end": (
        GOOD + "approval: {expires_minutes: 0}",
        "approval.expires_minutes: 0 — a number from 1 to 1440 (minutes)",
    ),
    "links in the clear": (
        GOOD + "approval: {link_url: 'http://hedge.example:8844'}",
        'approval.link_url: "http://hedge.example:8844" — an address such as '
        "https://hedge.example:8844 (http:// only of this machine), or null (no links)",
    ),
    "links with a path": (
        GOOD
        + "approval: {link_url: 'https://hedge.example/perphedge'}\n"
        + "web: {allowed_origins: ['https://hedge.example']}",
        'approval.link_url: "https://hedge.example/perphedge" — an address without a path; the '
        "dashboard is served at the root of its address",
    ),
    "links that lead nowhere": (
        GOOD
        + "approval: {link_url: 'https://hedge.example:8844'}\n"
        + "web: {allowed_origins: ['https://hedge.example']}",
        'approval.link_url: "https://hedge.example:8844" — an address at which the dashboard '
        "answers: one of web.allowed_origins, or of this machine with web.port",
    ),
    "links to another port of this machine": (
        GOOD + "approval: {link_url: 'http://127.0.0.1:8843'}",
        'approval.link_url: "http://127.0.0.1:8843" — an address at which the dashboard '
        "answers: one of web.allowed_origins, or of this machine with web.port",
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
}
