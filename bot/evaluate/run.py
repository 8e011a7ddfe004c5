"""Works the pieces of an evaluation out on several processors; the figures do not depend on how
many."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from bot.evaluate.plan import Plan, Worker
from bot.evaluate.scores import BookScore, Score, score
from risk.errors import PerphedgeError

_worker: Worker | None = None


def evaluate(
    plan: Plan, *, processes: int, on_progress: Callable[[str], None] = lambda _name: None
) -> dict[str, Score]:
    """The scores of every strategy, in the order of the plan.

    Args:
        processes: how many work at once; 1 for this one alone.
        on_progress: called with the name of the strategy after each piece.

    Raises:
        ConfigError, DataError, EstimationError, OptimizationError: a piece cannot be worked out.
        PerphedgeError: a process was killed.
    """
    found: dict[tuple[str, int], BookScore] = {}
    for piece, one in _worked(plan, min(processes, len(plan.pieces))):
        found[piece] = one
        on_progress(piece[0])
    return {
        name: score([found[name, book] for book in range(plan.books)]) for name in plan.strategies
    }


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _worked(plan: Plan, processes: int) -> Iterator[tuple[tuple[str, int], BookScore]]:
    if processes == 1:
        worker = Worker(plan)
        for piece in plan.pieces:
            yield piece, worker.score(*piece)
        return
    # A fresh interpreter each: a forked one would share the locks of threads that it has not.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (plan,)) as pool:
        try:  # an interrupt may come as early as while the processes are being started
            pieces = {pool.submit(_score, *piece): piece for piece in plan.pieces}
            for done in as_completed(pieces):
                yield pieces[done], done.result()
        except BrokenProcessPool as error:
            raise PerphedgeError(
                "a process of the evaluation was killed, perhaps for want of memory: "
                "try again with --processes 1"
            ) from error
        finally:
            _stop(pool)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End at once, in the middle of a piece too: nobody waits for it any more."""
    pool.shutdown(wait=False, cancel_futures=True)
    for child in multiprocessing.active_children():
        child.terminate()


def _begin(plan: Plan) -> None:
    global _worker  # noqa: PLW0603 - a process of a pool has no other place for what it keeps
    _worker = Worker(plan)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """However the parent ends, nobody works on for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _score(name: str, number: int) -> BookScore:
    assert _worker is not None
    return _worker.score(name, number)
