"""Where runs are played: processes of this machine, or the workers of a Dask cluster.

A worker that is killed takes nothing with it but what it was playing, and that is played again.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from bot.errors import UnreachableError, UsageError
from bot.sweep.runs import Row, Run, failed, played

MOST_DEATHS = 3
"""So often one run may end whoever plays it."""

CONNECT_S = 15


class Spread(Protocol):
    """Plays runs, in whatever order they end."""

    def rows(self, runs: Sequence[Run]) -> Iterator[Row]:
        """A row for each run."""
        ...


class Here:
    """Processes of this machine."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def rows(self, runs: Sequence[Run]) -> Iterator[Row]:
        """As they end. When a process dies, what was under way is played again, one run at a time,
        so that a run that kills whoever plays it takes no other with it."""
        waiting = deque(runs)
        while waiting:
            for run in (yield from self._until_one_dies(waiting)):
                yield _alone(run)

    def _until_one_dies(self, waiting: deque[Run]) -> Generator[Row, None, list[Run]]:
        """Plays what waits; what was under way when a process died."""
        under_way: dict[Future[Row], Run] = {}
        with _pool(min(self._jobs, len(waiting))) as pool, _interrupted_with_us():
            while waiting or under_way:
                while waiting and len(under_way) < self._jobs:
                    run = waiting.popleft()
                    try:
                        under_way[pool.submit(played, run)] = run
                    except BrokenProcessPool:
                        waiting.appendleft(run)
                        return list(under_way.values())
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        row = _result(future, under_way[future])
                    except BrokenProcessPool:
                        return list(under_way.values())
                    del under_way[future]
                    yield row
        return []


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


@contextmanager
def _interrupted_with_us() -> Iterator[None]:
    """Where this process stops early, nobody waits for what the others play; each ends as by
    Ctrl-C, which takes its folder with it."""
    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            if child.pid is not None:
                with suppress(OSError):
                    os.kill(child.pid, signal.SIGINT)
        raise


def _alone(run: Run) -> Row:
    for _ in range(MOST_DEATHS):
        with _pool(1) as pool, _interrupted_with_us(), suppress(BrokenProcessPool):
            return _result(pool.submit(played, run), run)
    return failed(run, f"processes that played it ended {MOST_DEATHS} times", lost=True)


def _result(future: "Future[Row]", run: Run) -> Row:
    """Its row; a defect of one run is told, and ends no sweep.

    Raises:
        BrokenProcessPool: its process, or another of the pool, has died.
    """
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other runs are played
        return _lost(run, error)


class Cluster:
    """The workers of a Dask cluster; each needs this program, and the data at the same path."""

    def __init__(self, address: str) -> None:
        self._address = address

    def rows(self, runs: Sequence[Run]) -> Iterator[Row]:
        """As they end.

        Raises:
            UsageError: Dask is not installed.
            UnreachableError: there is no scheduler at the address.
        """
        distributed = _distributed()
        try:
            client = distributed.Client(self._address, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise UnreachableError(f"--scheduler {self._address}: {reason}") from None
        with client:
            by_key = {f"perphedge-{run.key}": run for run in runs}
            futures = [
                client.submit(played, run, key=key, pure=False, retries=MOST_DEATHS)
                for key, run in by_key.items()
            ]
            for future in distributed.as_completed(futures):
                yield _row(future, by_key[future.key])
                future.release()


def _row(future: Any, run: Run) -> Row:
    if future.status == "finished":
        row: Row = future.result()
        return row
    return _lost(run, future.exception())


def _lost(run: Run, error: BaseException) -> Row:
    why = " ".join(str(error).split())[:200]
    return failed(run, f"workers failed: {type(error).__name__}: {why}", lost=True)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--scheduler: needs Dask, which is not installed: pip install 'perphedge[cluster]'"
        ) from None
    return distributed
