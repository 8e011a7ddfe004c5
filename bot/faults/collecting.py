"""Gathers the evidence of a schedule: copies only, no object of the engine."""

import tempfile
from pathlib import Path

from bot.faults.engine import BAND_USD
from bot.faults.oracle.evidence import Evidence, ExchangeLog, Kept, read_tables
from bot.faults.play import Play
from bot.trading.styles import Style


def evidence_of(play: Play, ended: str) -> Evidence:
    """What the oracle may see; the engine has stopped."""
    files = play.disk.image()
    with tempfile.TemporaryDirectory(dir=play.folder) as name:
        damage, tables = read_tables(files, Path(name))
    images = []
    for image in play.images:
        with tempfile.TemporaryDirectory(dir=play.folder) as name:
            images.append(Kept(image.when, image.left, *read_tables(image.files, Path(name))))
    return Evidence(
        exchange=_exchange_log(play),
        journal=tables,
        damage=damage,
        images=images,
        outputs=_outputs(play, files),
        ended=ended,
        second_started=play.second_started,
        band_usd=BAND_USD,
        told=() if play.wire is None else tuple(play.wire.told),
        alerts=tuple(play.pager.told),
        lost_halts=play.lost_halts,
        rests=play.style is Style.POST_ONLY,
        paper=play.paper,
    )


def _exchange_log(play: Play) -> ExchangeLog:
    world, account = play.world, play.world.hedge
    return ExchangeLog(
        arrivals=tuple(play.door.log),
        cancelled=tuple(play.door.cancelled),
        orders=dict(account.orders),
        trades=tuple(account.trades),
        income=tuple(account.income),
        delivered=dict(world.delivered),
        tampered=frozenset(play.door.tampered),
        fees_withheld=bool(play.faults.fired["null_fee_or_price"]),
        initial_usd=account.initial_usd,
        wallet_usd=account.wallet_usd,
        held={(p.symbol, p.side.value): p.quantity for p in account.held()},
        net_usd=world.net_usd(),
    )


def _outputs(play: Play, files: dict[str, bytes]) -> str:
    said = [repr(line) for line in play.log.lines]
    said += [content.decode("latin-1") for content in files.values()]
    said += [file.content.decode("latin-1") for file in play.disk.small.names.values()]
    return "\n".join([*said, *play.outages])
