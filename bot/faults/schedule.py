"""Plays one seed: so many steps with faults that come and go, then peace, then judgement."""

import gc
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from pathlib import Path

from bot.faults.collecting import evidence_of
from bot.faults.effects import BEGIN, END, flip_mode
from bot.faults.engine import BAND_USD
from bot.faults.kinds import OF_STREAMS
from bot.faults.oracle.verdict import Violation, judge
from bot.faults.phases import Phase, phases
from bot.faults.play import Play
from bot.faults.world import BOT_SYMBOLS
from bot.trading.orders import OrderState
from bot.trading.styles import Style

_QUIET_STEPS = 20  # of each phase, at its end, without faults
_PEACE_CYCLES = 13  # at five seconds each: a minute after the last fault
_PATIENCE_CYCLES = 60  # five minutes for what cannot be found out
_PEACE_MS = 5_000
_OPERATOR_LOOKS = 25  # steps between two looks of the operator at what controls have halted
_PEACE_LOOKS = 6  # cycles
_STEPS = ("cycle", "tick", "advance", "bot", "operator", "others")
_WEIGHTS = (22, 24, 26, 24, 2, 2)
_BOT_MOST_USD = 14_000.0


@dataclass(slots=True)
class Outcome:
    """What one schedule came to."""

    seed: int
    steps: int
    violations: list[Violation]
    fired: dict[str, int]
    crossed: dict[str, int]
    killed_at: dict[str, int]
    orders_sent: int
    orders_filled: int
    ended: str
    recoverable: bool
    digest: str
    lines: list[str] = field(default_factory=list)


class Schedule:
    """One seed from its first step to its end."""

    def __init__(
        self,
        seed: int,
        steps: int,
        folder: Path,
        *,
        keep_trace: bool = False,
        stretches: Sequence[Phase] | None = None,
        style: Style | None = None,
        paper: bool = False,
    ) -> None:
        """``stretches``: which faults to play, ``style``: of plans; None: those of the seed.

        ``paper``: the engine trades on paper, and the exchange only lends its prices.
        """
        self.seed = seed
        self._stretches = tuple(phases(seed) if stretches is None else stretches)
        kinds = {kind for phase in self._stretches for kind in phase.kinds}
        streams = bool(kinds & OF_STREAMS)
        self.play = Play(seed, folder, keep_trace=keep_trace, streams=streams, paper=paper)
        self.play.style = style or self.play.style
        self._wanted = steps
        self._steps = 0
        self._halt_ends = 0

    def run(self) -> Outcome:
        """Play it all and judge it."""
        play = self.play
        stretches = self._stretches
        play.trace.note(f"seed {self.seed}: {[phase.kinds for phase in stretches]}")
        play.start()
        for phase in stretches:
            self._phase(phase, self._wanted // len(stretches))
        self._peace()
        ended = self._ended()
        play.close()
        return self._outcome(ended, recoverable=all(phase.recoverable for phase in stretches))

    def _phase(self, phase: Phase, steps: int) -> None:
        die = self.play.die
        turns = dict.fromkeys(phase.kinds, 0)
        if len(phase.kinds) > 1:
            turns = {kind: die.randint(0, 10) for kind in phase.kinds}
        for number in range(steps):
            due = [kind for kind, turn in turns.items() if turn <= number]
            if number >= steps - _QUIET_STEPS:
                due = [kind for kind in turns if kind in self.play.faults.active]
            if self._halt_ends and self._steps >= self._halt_ends:
                self._resume()
            elif due:
                self._toggle(due[0])
                turns[due[0]] = number + die.randint(4, 25)
            else:
                self._step()
            self._steps += 1
            if self.play.halt_asked:
                self.play.halt_asked = False
                self._halt_ends = self._steps + self.play.die.randint(5, 20)
            flip_mode(self.play)
            if self._steps % _OPERATOR_LOOKS == 0:
                self._look_after()

    def _toggle(self, kind: str) -> None:
        play = self.play
        if kind in play.faults.active:
            play.faults.active.discard(kind)
            play.trace.note(f"off {kind}")
            effect = END.get(kind)
        else:
            play.faults.active.add(kind)
            play.trace.note(f"on {kind}")
            effect = BEGIN.get(kind)
        if effect is not None:
            effect(play)

    def _step(self) -> None:
        play, die = self.play, self.play.die
        kind = die.choices(_STEPS, _WEIGHTS)[0]
        if play.woken or kind == "cycle":
            play.cycle()
        elif kind == "tick":
            play.world.advance(die.randint(200, 2_000))
            play.world.tick()
        elif kind == "advance":
            play.world.advance(die.randint(1_000, 20_000))
        elif kind == "bot":
            self._bot_trades()
        elif kind == "operator":
            self._operator()
        else:
            self._others()

    def _bot_trades(self) -> None:
        play, die = self.play, self.play.die
        symbol = die.choice(BOT_SYMBOLS)
        held_usd = sum(
            float(play.world.bot_quantity(s)) * play.world.prices[s] for s in BOT_SYMBOLS
        )
        grows = die.random() < 1 - held_usd / _BOT_MOST_USD
        usd = die.uniform(300, 1_800) * (1 if grows else -1)
        play.trace.note(f"bot {symbol} {usd:.0f}")
        play.world.bot_trades(symbol, usd)

    def _operator(self) -> None:
        """Halts; some steps later they resume."""
        if not self.play.halted:
            self.play.halt("")
            self._halt_ends = self._steps + self.play.die.randint(5, 20)

    def _look_after(self) -> None:
        """The operator reads the alerts, and resumes what controls have halted meanwhile."""
        engine = self.play.engine
        if not self._halt_ends and engine is not None and (engine.stopped_by or engine.alerts):
            self.play.resume()

    def _resume(self) -> None:
        self.play.resume()
        self.play.trace.note("operator resumes")
        self._halt_ends = 0

    def _others(self) -> None:
        """Money comes or goes."""
        play = self.play
        amount = play.die.choice((-500, 500))
        play.trace.note(f"transfer {amount}")
        play.world.exchange.transfer(play.world.hedge, Decimal(amount))

    def _peace(self) -> None:
        """No more faults: the operator resumes what he has halted, the engine comes back."""
        play = self.play
        for kind in sorted(play.faults.active):
            self._toggle(kind)
        if self._halt_ends:
            self._resume()
        for number in range(_PEACE_CYCLES + _PATIENCE_CYCLES):
            if number % _PEACE_LOOKS == 0:
                self._look_after()
            play.world.advance(_PEACE_MS)
            play.world.refresh()
            play.cycle()
            self._steps += 1
            if number >= _PEACE_CYCLES and self._settled():
                break

    def _settled(self) -> bool:
        return self._ended() == "ready"

    def _ended(self) -> str:
        play = self.play
        if play.engine is None:
            return "halted" if play.halted else "down"
        journal = play.engine.journal
        open_ones = journal.unresolved_orders()
        if any(row.state is OrderState.QUARANTINED for row in open_ones):
            return "halted"
        if open_ones or play.world.awaited:
            return "unresolved"
        inside = abs(play.net_usd()) <= BAND_USD * 1.02
        if play.engine.stopped_by and not inside:
            return "halted"
        return "ready" if inside else "outside"

    def _outcome(self, ended: str, *, recoverable: bool) -> Outcome:
        play = self.play
        evidence = evidence_of(play, ended)
        violations = judge(evidence)
        posts = [a for a in play.door.log if a.actor == "engine"]
        filled = [
            a
            for a in posts
            if a.order_id is not None and play.world.hedge.orders[a.order_id].filled_quantity > 0
        ]
        return Outcome(
            self.seed,
            self._steps,
            violations,
            dict(play.faults.fired),
            dict(play.crossed),
            dict(play.killed_at),
            len(posts),
            len(filled),
            ended,
            recoverable,
            _digest(play),
            play.trace.lines,
        )


def _digest(play: Play) -> str:
    """Of the trace and of the journal's bytes."""
    digest = hashlib.sha256(play.trace.digest.encode())
    for name, content in sorted(play.disk.image().items()):
        digest.update(Path(name).name.encode() + content)
    return digest.hexdigest()


def run_seed(
    seed: int,
    steps: int,
    *,
    keep_trace: bool = False,
    stretches: Sequence[Phase] | None = None,
    style: Style | None = None,
    paper: bool = False,
) -> Outcome:
    """One schedule in a folder of its own, which goes with it.

    Decimals round as in a fresh process: ccxt, once it has formatted a number, leaves another
    rounding behind for all that comes after it.
    """
    folder = Path(tempfile.mkdtemp(prefix="perphedge-faults-", dir=_in_memory()))
    try:
        with localcontext(Context()), _without_collector():
            schedule = Schedule(
                seed,
                steps,
                folder,
                keep_trace=keep_trace,
                stretches=stretches,
                style=style,
                paper=paper,
            )
            return schedule.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder of the machine's that costs no disk, where there is one."""
    found = Path("/dev/shm")  # noqa: S108 - only its speed is wanted; the folder in it is private
    return str(found) if os.access(found, os.W_OK | os.X_OK) else None


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python looks for cycles in memory afterwards, not all the time: a schedule needs little."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
