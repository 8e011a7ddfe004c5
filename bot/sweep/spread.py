"""Where runs are played: processes of this machine, or the workers of a Dask cluster.

A worker that is killed takes nothing with it but what it was playing, and that is played again.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from bot.errors import UnreachableError, UsageError
from bot.sweep.runs import Row, Run, failed, played

MOST_DEATHS = 3
"""So often workers may die one after another without a single run that ends in between."""

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
        """As they end; pools whose processes die are made anew."""
        left, deaths = {run.key: run for run in runs}, 0
        while left and deaths < MOST_DEATHS:
            deaths += 1
            for row in self._until_one_dies(list(left.values())):
                deaths = 0
                del left[row["key"]]
                yield row
        for run in left.values():
            why = f"processes that played it ended {MOST_DEATHS} times"
            yield failed(run, why, lost=True)

    def _until_one_dies(self, runs: Sequence[Run]) -> Iterator[Row]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self._jobs, len(runs)), mp_context=context) as pool:
            futures = [pool.submit(played, run) for run in runs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool:
                return
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


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
    why = " ".join(str(future.exception()).split())[:200]
    return failed(run, f"workers failed: {why}", lost=True)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--scheduler: needs Dask, which is not installed: pip install 'perphedge[cluster]'"
        ) from None
    return distributed
