"""What ``status`` and ``log`` tell from the journal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.cli.tables import ByWidth, Document, facts, plain_table, status_text
from bot.explain.deeds import cost_lines
from bot.report import words
from bot.report.orders import OrderRow, order_rows

_NOTHING: tuple[object, ...] = (None, "", [], {})


def orders_table(documents: Sequence[Document], *, at_most: int = 50) -> RenderableType:
    """Orders and what was filled of them, the newest first."""
    lines = order_rows(documents, at_most)
    if not lines:
        return Text("No order.", style="dim")
    return ByWidth(lambda width: _orders_table(lines, width))


def _orders_table(lines: Sequence[OrderRow], width: int) -> Table:
    wide = width >= 72
    table = plain_table()
    for name in ("Time UTC", "Symbol", "Side"):
        table.add_column(name, no_wrap=True)
    for name in ("Filled", "Average", "Slip bp", "Fee USD") if wide else ("Filled",):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("State", overflow="fold")
    for line in lines:
        state = f"{line.state}: {line.detail}" if line.detail else line.state
        full = line.filled == line.quantity
        cells = [line.time, line.symbol, line.side.partition(",")[0]]
        cells.append(line.filled if full else f"{line.filled}/{line.quantity}")
        cells += [line.average, line.slip, line.fee] if wide else []
        table.add_row(*(Text(cell) for cell in (*cells, state)))
    return table


def engine_status(document: Document) -> RenderableType:
    """The document of ``status`` in words."""
    process, last = document.get("running_process"), document.get("last_cycle")
    unresolved = document.get("unresolved_orders") or ()
    lines = [
        ("State", words.plain(document.get("state_dir"))),
        ("Running", "no" if process is None else f"yes, process {words.plain(process)}"),
        ("Halted", words.plain(document.get("halted") or "no")),
        *_control_lines(document),
        *_proposal_lines(document),
        *_stream_lines(document),
        *source_lines(document),
        *margin_lines(document),
        ("Started", _times(document.get("starts"))),
        ("Cycles", words.plain(document.get("cycles"))),
        ("Orders without an answer", ", ".join(map(words.plain, unresolved)) or "none"),
    ]
    parts: list[RenderableType] = [facts(lines)]
    if last:
        parts += [Text("Last cycle", style="bold"), facts(_last_cycle(last))]
    hedges = document.get("hedges_base") or {}
    parts.append(Text("Hedges, in coins" if hedges else "No hedge is held.", style="bold"))
    held = [(words.plain(name), words.plain(quantity)) for name, quantity in hedges.items()]
    return Group(*parts, facts(held))


def _control_lines(document: Document) -> list[tuple[str, str]]:
    """Halted symbols and open alerts, where there are any."""
    halted, alerts = document.get("halted_symbols") or {}, document.get("alerts") or ()
    lines = [
        (f"Halted {words.base(symbol)}", f"control {halt['number']}: {words.plain(halt['reason'])}")
        for symbol, halt in halted.items()
    ]
    lines += [("Alert", f"control {one['number']}: {words.plain(one['text'])}") for one in alerts]
    return lines


def _proposal_lines(document: Document) -> list[tuple[str, str]]:
    """What waits for people."""
    return [
        (
            f"Proposal {words.plain(one['proposal_id'])}",
            f"{words.plain(one['state'])}, until {words.plain(one['expires'])}: "
            f"{words.plain(one['sentence'])}",
        )
        for one in document.get("proposals") or ()
    ]


def _stream_lines(document: Document) -> list[tuple[str, str]]:
    """Health of every stream, with what it suffers from."""
    streams = document.get("streams") or {}
    return [
        (f"Stream {words.plain(name)}", ": ".join(filter(None, (one["health"], one["reason"]))))
        for name, one in streams.items()
    ]


def source_lines(document: Document) -> list[tuple[str, str]]:
    """Of every source how old what it said is, or since when it fails and why."""
    found = []
    for one in document.get("sources") or ():
        good = words.plain(one["last_good"] or "never")
        if one["failing"]:
            since, error = words.plain(one["failing_since"]), words.plain(one["last_error"])
            text = f"fails since {since}: {error}; last good read: {good}"
        elif one["last_good"] is None:
            text = "not read yet"
        else:
            text = f"well, {one['age_seconds']:,.0f} s old; last good read: {good}"
            if one["last_error"]:
                error, then = words.plain(one["last_error"]), words.plain(one["last_error_time"])
                text += f"; last error {then}: {error}"
        found.append((f"Source {words.plain(one['name'])}", text))
    return found


def margin_lines(document: Document) -> list[tuple[str, str]]:
    """How much of the bot's free margin the hedges take, and the money that bots tell."""
    margin = document.get("bot_margin")
    if not margin:
        return []
    found = []
    if margin["shared_account"]:
        took, free = margin["hedges_usd"], margin["free_without_hedges_usd"]
        share = "more than is free" if margin["share"] is None else f"{margin['share']:.1%}"
        text = f"{words.usd(took)} of {words.usd(free)} free without them ({share})"
        found.append(("Bot's margin that hedges take", text))
    for name, money in margin["bots"].items():
        free, equity = (words.usd(words.number(money[key])) for key in ("free_usd", "equity_usd"))
        found.append((f"Money of {words.plain(name)}", f"equity {equity}, free {free}"))
    return found


def _times(count: object) -> str:
    return "once" if count == 1 else f"{words.plain(count)} times"


def _last_cycle(last: Document) -> list[tuple[str, str]]:
    def usd(key: str) -> str:
        return words.usd(words.number(last.get(key)))

    alone = usd("volatility_unhedged_daily_usd")
    return [
        ("Id", words.plain(last.get("cycle_id"))),
        ("Time", words.plain(last.get("timestamp"))),
        ("Outcome", words.status_words(last.get("status"))),
        ("Reason", words.plain(last.get("reason") or words.ABSENT)),
        ("Bot gross", usd("bot_gross_usd")),
        ("Hedge gross", usd("hedge_gross_usd")),
        ("Volatility, daily", f"{usd('volatility_after_daily_usd')} (bot alone {alone})"),
        ("Correlation-adjusted exposure", usd("cae_after_usd")),
    ]


def log_table(records: Sequence[Document], *, head: bool = True) -> RenderableType:
    """Cycles and events, one line each: when, which cycle, what, and the rest in words."""
    if not records:
        return Text("Nothing recorded.", style="dim")
    return ByWidth(lambda width: _log_table(records, width, head=head))


def _log_table(records: Sequence[Document], width: int, *, head: bool) -> Table:
    wide = width >= 110
    table = plain_table()
    table.show_header = head
    table.add_column("Time UTC", no_wrap=True, min_width=19)
    if wide:
        table.add_column("Cycle", no_wrap=True, min_width=22)
    table.add_column("Event", no_wrap=True, min_width=12)
    table.add_column("What", overflow="fold")
    for record in records:
        when = words.clock_text(record, "%Y-%m-%d %H:%M:%S")
        if when == words.ABSENT:
            when = words.plain(record.get("timestamp", words.ABSENT))
        event = record.get("event")
        told = (
            status_text(record.get("status"), short=True)
            if event is None
            else Text(words.plain(event).replace("_", " "))
        )
        cells = [Text(when), told, Text(_log_words(record))]
        if wide:
            cells.insert(1, Text(words.plain(record.get("cycle_id") or words.ABSENT)))
        table.add_row(*cells)
    return table


def _log_words(record: Document) -> str:
    event = record.get("event")
    if event is None:
        return words.plain(record.get("reason") or "")
    if str(event).startswith("order_") and record.get("symbol"):
        return _order_words(record)
    if event == "signal" and record.get("sentence"):
        return f"{words.plain(record.get('change'))}: {words.plain(record['sentence'])}"
    if event == "order_costs":
        return " ".join(cost_lines({}, record.get("costs") or ())[:1])
    known = {"timestamp", "timestamp_ms", "cycle_id", "event"}
    rest = ((k, v) for k, v in record.items() if k not in known and v not in _NOTHING)
    return "  ".join(f"{words.plain(key)}={words.plain(value)}" for key, value in rest)


def _order_words(record: Document) -> str:
    """``sell 592 ARKM at 1.0963, filled 592.00``; what was refused says why."""
    quantity, price = (words.plain(record.get(key)) for key in ("quantity", "limit_price"))
    side, base = words.plain(record.get("side")), words.base(str(record.get("symbol")))
    text = f"{side} {quantity} {base} at {price}"
    filled = words.exact(record.get("filled_quantity"))
    if filled:
        text += f", filled {filled}"
    why = [words.plain(record[key]) for key in ("control", "code", "reason") if record.get(key)]
    return f"{text}: {' '.join(why)}" if why else text
