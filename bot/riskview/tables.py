"""A risk document as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from bot.cli.records import margin_lines
from bot.cli.tables import caps_table, facts, plain_table
from bot.report import words
from bot.riskview.basis_table import TITLE as BASIS
from bot.riskview.basis_table import basis_table
from bot.riskview.document import Document

SIGNALS_SHOWN = 12
_HEAD = "bold"
_FLAGS = {"pinned": "pinned", "capped": "capped", "substitute": "other venue's"}
_SEVERITY = {"alarm": "bold red", "warning": "yellow", "note": "dim"}


def risk_tables(document: Document) -> RenderableType:
    """All of it, the book first and those left out last."""
    parts: list[RenderableType] = [exposure_facts(document)]
    for title, part in (
        ("Positions and what they add to volatility", contributions_table(document)),
        ("Caps", caps(document)),
        (f"{len(document['breaches'])} exceeded", breaches_table(document)),
        ("Signals", signals_table(document)),
        ("Not judged", silence_facts(document)),
        ("Stress", stress_table(document)),
        ("Clusters", clusters_facts(document)),
        (
            "Beta and correlation to BTC over 30 days, funding a year and crowding",
            tokens_table(document),
        ),
        (BASIS, basis_table(document.get("elsewhere", ()))),
        ("Left out", excluded_facts(document)),
    ):
        if part is not None:
            parts += [Text(title, style=_HEAD), part]
    return Group(*parts)


def exposure_facts(document: Document) -> RenderableType:
    """The figures of the whole book."""
    exposure = document["exposure"]

    def usd(key: str) -> str:
        return words.usd(words.number(exposure[key]))

    tail = exposure["tail"]
    pairs = [
        ("Time", f"{words.clock_text(document)} UTC"),
        ("Gross, net", f"{usd('gross_usd')}, {usd('net_usd')}"),
        ("Correlation-adjusted exposure", f"{usd('cae_usd')} ± {usd('cae_se_usd')} of BTC"),
        ("Net in BTC terms", f"{usd('beta_net_usd')} ± {usd('beta_net_se_usd')}"),
        (
            "Volatility, daily",
            f"{usd('volatility_daily_usd')} ± {usd('volatility_daily_se_usd')}, "
            f"unhedged {usd('volatility_unhedged_daily_usd')}",
        ),
        (
            "of it with BTC, without",
            f"{usd('systematic_daily_usd')}, {usd('specific_daily_usd')}",
        ),
        ("Diversification ratio", _ratio(exposure["diversification_ratio"])),
        ("Effective bets", f"{_ratio(exposure['effective_bets'])} of {len(exposure['positions'])}"),
    ]
    if tail["unknown"] is None:
        pairs += [
            ("VaR, shortfall 95 %, a day", f"{usd('var95_usd')}, {usd('es95_usd')}"),
            ("VaR, shortfall 99 %, a day", f"{usd('var99_usd')}, {usd('es99_usd')}"),
            (
                "resting on",
                f"{tail['scenarios']:,} days, {tail['independent']:.0f} of them independent",
            ),
        ]
        if tail["stand_in"]:
            tokens = ", ".join(words.base(symbol) for symbol in tail["stand_in"])
            text = f"of {tokens}, {tail['stand_in_share']:.0%} of gross: too young, as its peers"
            pairs.append(("made up", text))
    else:
        pairs.append(("VaR and shortfall", f"not known: {words.plain(tail['unknown'])}"))
    lines: list[RenderableType] = [facts([*pairs, *margin_lines(document)])]
    for symbol, one in exposure["unmeasured"].items():
        text = (
            f"Not measured, and in none of these figures: {words.base(symbol)} "
            f"{_worth(one['notional_usd'])}({words.plain(one['reason'])})"
        )
        lines.append(Text(text, style="bold red"))
    for symbol, one in exposure["history"].items():
        if one["short_history"]:
            days = one["observed_bars"] / 24
            text = f"Little is known of {words.base(symbol)}: {days:.1f} days of bars"
            lines.append(Text(text, style="yellow"))
    return Group(*lines)


def contributions_table(document: Document) -> RenderableType | None:
    """One line for each position, the largest contribution first."""
    exposure = document["exposure"]
    parts: Mapping[str, float] = exposure["contributions"]
    if not parts:
        return Text("The book is flat.", style="dim")
    whole = exposure["volatility_daily_usd"]
    table = plain_table()
    table.add_column("Symbol", no_wrap=True)
    for name in ("Position", "Of it hedge", "Risk/day", "±", "Share", "Per 1,000 more"):
        table.add_column(name, justify="right", no_wrap=True)
    for symbol, part in sorted(parts.items(), key=lambda item: -item[1]):
        table.add_row(
            Text(words.base(symbol)),
            Text(words.signed(exposure["positions"][symbol])),
            Text(words.signed(exposure["hedges"].get(symbol))),
            Text(words.signed(part)),
            Text(words.usd(exposure["contributions_se"][symbol]).removesuffix(" USD")),
            Text(words.percent(part / whole) if whole else words.ABSENT),
            Text(words.signed(1000 * exposure["marginal"][symbol])),
        )
    return table


def caps(document: Document) -> RenderableType:
    """Every cap with its use."""
    as_cycle = {"limits": document["limits"], "cap_use_before": document["cap_use"]}
    return caps_table(as_cycle | {"breaches_before": document["breaches"]})


def breaches_table(document: Document) -> RenderableType | None:
    """Every exceeded cap, who causes it and what alone would cure it."""
    if not document["breaches"]:
        return None
    table = plain_table()
    table.add_column("Cap")
    for name in ("Value", "Limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Caused by")
    table.add_column("Cured by")
    for one in document["breaches"]:
        label = words.cap_label(one["cap"]) + (
            f" {words.plain(one['scope'])}" if one["scope"] else ""
        )
        table.add_row(
            Text(label, style="bold red"),
            Text(words.cap_value(one["cap"], words.number(one["value"])).removesuffix(" USD")),
            Text(words.cap_value(one["cap"], words.number(one["limit"])).removesuffix(" USD")),
            Text(_causes(one["positions"])),
            Text(_cure(one["cure"])),
        )
    return table


def _causes(positions: Sequence[Mapping[str, Any]]) -> str:
    causes = [p for p in positions if (p["contribution"] or 0) > 0]
    whole = sum(p["contribution"] or 0 for p in positions)
    named = [
        f"{words.base(p['symbol'])} {words.percent(p['contribution'] / whole)}" for p in causes[:4]
    ]
    return ", ".join([*named, "…"] if len(causes) > len(named) else named) or words.ABSENT


def _cure(cure: Mapping[str, Any] | None) -> str:
    if cure is None:
        return "no single reduction"
    return f"{words.base(cure['symbol'])} smaller by {words.amount(cure['reduce_usd'])}"


def signals_table(document: Document) -> RenderableType | None:
    """The most urgent signals, the rest counted by kind."""
    signals = document["signals"]
    if not signals:
        return None
    table = plain_table()
    table.add_column("Since UTC", no_wrap=True)
    table.add_column("Signal")
    for one in signals[:SIGNALS_SHOWN]:
        # What is as old as the bars looked back on may be older.
        since = ("≤ " if one["since_earlier"] else "  ") + str(one["since"])[:16].replace("T", " ")
        table.add_row(Text(since), Text(_short(one["sentence"]), style=_SEVERITY[one["severity"]]))
    counts: dict[str, int] = {}
    for one in signals[SIGNALS_SHOWN:]:
        counts[one["kind"]] = counts.get(one["kind"], 0) + 1
    if not counts:
        return table
    rest = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in counts.items())
    return Group(table, Text(f"And {rest}; --json names them all.", style="dim"))


def silence_facts(document: Document) -> RenderableType | None:
    """The signals that could not be judged, and why."""
    unknown: Mapping[str, str] = document["signals_unknown"]
    failed = {rule: why for rule, why in unknown.items() if why.startswith("failed: ")}
    quiet = [(rule, _short(why)) for rule, why in unknown.items() if rule not in failed]
    parts: list[RenderableType] = [facts(quiet)] if quiet else []
    parts += [
        Text(f" {rule}  {_short(why)}", style="bold red") for rule, why in sorted(failed.items())
    ]
    return Group(*parts) if parts else None


def _short(sentence: str) -> str:
    return words.plain(sentence).replace("/USDT:USDT", "")


def stress_table(document: Document) -> RenderableType | None:
    """What each stress would cost."""
    exposure = document["exposure"]
    table = plain_table()
    table.add_column("", no_wrap=True)
    for name in ("Loss", "Volatility"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in exposure["stress"]:
        loss = words.number(one["loss_usd"])
        table.add_row(
            Text(one["name"]),
            Text(words.ABSENT if loss is None else words.amount(loss)),
            Text(words.amount(one["volatility_daily_usd"])),
            Text(_short(one["detail"]), style="dim"),
        )
    for name, reason in exposure["stress_unknown"].items():
        absent = Text(words.ABSENT)
        table.add_row(Text(name), absent, absent, Text(f"not known: {_short(reason)}", style="dim"))
    return table


def clusters_facts(document: Document) -> RenderableType | None:
    """Who moves with whom; tokens that stand alone on one line."""
    groups = [[words.base(s) for s in members] for members in document["clusters"]]
    pairs = [(f"{len(g)} together", ", ".join(g)) for g in groups if len(g) > 1]
    alone = [g[0] for g in groups if len(g) == 1]
    if alone:
        pairs.append(("alone", ", ".join(alone)))
    return facts(pairs) if pairs else None


def tokens_table(document: Document) -> RenderableType | None:
    """Beta and correlation to BTC, funding and crowding of each token; the held ones marked."""
    betas, crowding = document["beta"], document["crowding"]
    held = document["exposure"]["positions"]
    table = plain_table()
    table.add_column("Symbol", no_wrap=True)
    for name in ("Beta", "±", "Corr", "Funding", "Crowding", "Cluster"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for symbol in sorted({*betas, *crowding}, key=lambda s: (s not in held, s)):
        beta, crowd = betas.get(symbol, {}), crowding.get(symbol, {})
        flags = [word for name, word in _FLAGS.items() if crowd.get(name)]
        table.add_row(
            Text(f"{'●' if symbol in held else ' '} {words.base(symbol)}"),
            Text(_ratio(beta.get("btc"))),
            Text(_ratio(beta.get("btc_se"))),
            Text(_ratio(beta.get("correlation_btc"))),
            Text(words.percent(words.number(crowd.get("annual_rate")), 1)),
            Text(_ratio(crowd.get("score"))),
            Text(_ratio(crowd.get("cluster_score"))),
            Text(", ".join(flags) if crowd.get("unknown") is None else "not known", style="dim"),
        )
    return table if table.row_count else None


def excluded_facts(document: Document) -> RenderableType | None:
    """Who is in no statistic and why; those that the venue does not list on one line."""
    excluded = document["excluded"]
    pairs = [
        (words.base(s), words.plain(why)) for s, why in excluded.items() if why != "not listed"
    ]
    absent = [words.base(s) for s, why in excluded.items() if why == "not listed"]
    if absent:
        pairs.append(("not listed", ", ".join(absent)))
    return facts(pairs) if pairs else None


def _ratio(value: object) -> str:
    known = words.number(value)
    return words.ABSENT if known is None else f"{known:.2f}".replace("-", words.MINUS)


def _worth(notional_usd: float | None) -> str:
    return "" if notional_usd is None else f"{words.signed(notional_usd)} USD "
