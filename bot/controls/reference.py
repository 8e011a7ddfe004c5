"""Writes docs/controls.md from the table: ``python -m bot.controls.reference``."""

import sys

from bot.controls.table import TABLE, Control, Effect
from config.controls import Controls

_EFFECTS = {
    Effect.DENY: "the order or the command is refused",
    Effect.HALT_SYMBOL: "nothing more is sent in the symbol",
    Effect.HALT_ALL: "nothing more is sent at all, also after a restart",
    Effect.ALERT: "somebody is told",
}

_HEAD = """# Controls

Every order passes all of these, and each of them leaves a record in the journal when it acts; those
that act before there is a journal, or because there is none any more, say so on stderr (33, 37, an
unknown setting). The settings are those of the section `controls` in [config.md](config.md).
`perphedge selftest` trips every one of them on a simulated exchange.

"""

_TAIL = """
## Halts

`perphedge halt --reason TEXT`, or a file named `HALT` in the state directory, stops the next order;
a running engine then cancels its own open orders by their ids and leaves all others alone. It works
with the journal and the network down; where the file cannot be written it says so and leaves with
exit code 6. `--flatten` closes the hedges as well.

Once seen, every halt is in the journal too, and removing the file does not lift it.
`perphedge resume --reason TEXT` lifts every halt that stands when it is asked, of symbols as well
(one that trips before the engine's next cycle stays), and is recorded with the name of who asked. A
halt for position mode, margin mode or leverage ends by itself when they are again as they were.

The list of income, from which 28 knows what our books lack, is read of binanceusdm and of the
simulated exchange, after a stop back to the last look (30 days at most). It is not read of bybit,
okx, bitget, gate and hyperliquid: there no kind of income is unknown to 28, because none is seen,
and funding is booked from the exchange's own list of it without a second one to hold it against.
Missing fees and closes by others are told there all the same. Two pages are asked for in a cycle,
so a long list is checked some cycles later. A request that fails is made again after a minute and
holds no cycle; `books_unchecked` tells that nothing could be checked for an hour. What a
liquidation pays to the insurance fund is a payment of its own: it is told (`liquidation_fee`), and
is neither in the fee of the close nor in the ledger.

## Orders that only people can settle

An order is *quarantined* when the exchange does not find it although the account changed as if it
had filled. Nothing more is sent in its symbol, and it counts at its worst, until somebody has
looked at the exchange and says what it did:

    perphedge settle CLIENT_ID --filled 1200 --price 0.4985 --reason "the exchange's trade list"
    perphedge settle CLIENT_ID --absent --reason "no such order, support says"

`--filled` is all that it filled, base units; `--price` the average of what is not booked yet. The
same settles an order of which the exchange told fills that never showed in its list of trades.
Without an engine it is done at once. A running one takes it up with its next cycle, and every word
ends in the journal: as `order_settled` with name and reason, or as `settlement_refused` with what
spoke against it by then. A file `SETTLE-…` that cannot be understood is refused too, and kept as
`UNREADABLE-SETTLE-…`. What is booked has a trade id that begins with `settled-`, without a fee.

Refused with exit code 2: an order that the engine still finds out about or that has a word waiting
already; more than it asked for, less than the exchange has shown, what is no multiple of its lot; a
price beyond its limit, or better than that by more than a factor of two. The symbol's halt is
lifted by `perphedge resume` alone. Should the exchange list its trades later after all, the order
counts as overfilled (25), however little they are, and its symbol halts again.

## Alerts

An alert is in the journal and in the log, and is posted as JSON to the address in
`alert_webhook_file`, if there is one (its `text` says it in words, as chat services want it). Where
that fails or takes longer than `alert_timeout_seconds`, it goes to `alerts.jsonl` in the state
directory. Those that do not end by themselves wait for `perphedge ack`. `perphedge status` shows
halts, halted symbols and open alerts.
"""


def page() -> str:
    """The whole page."""
    effects = "".join(f"- **{effect.value}**: {text}\n" for effect, text in _EFFECTS.items())
    rows = "".join(_row(control) for control in TABLE)
    head = "| | What holds | Does | In the journal | Settings |\n|---|---|---|---|---|\n"
    return _HEAD + effects + "\n" + head + rows + _TAIL


def _row(control: Control) -> str:
    names = ", ".join(f"`{name}`" for name in control.acts)
    settings = ", ".join(f"`{key}`{_default(key)}" for key in control.settings)
    says = control.says
    return f"| {control.number} | {says} | {control.effects} | {names} | {settings} |\n"


def _default(key: str) -> str:
    default = Controls.model_fields[key].default
    return "" if default is None else f" {default:g}"


if __name__ == "__main__":
    sys.stdout.write(page())
