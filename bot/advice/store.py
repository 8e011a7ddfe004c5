"""The last good book on disk, where the process that answers bots reads it.

One file, replaced whole. It is not synced: after a power cut the engine writes a new one, and an
old one says its own age.
"""

import io
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.errors import DataError
from risk.limits.caps import RiskLimits
from risk.limits.stresses import AccountStress
from strategies.entry_check import BotHolding, EntryBook

BOOK_NAME = "entry-book.npz"
FORM = 2
"""Of the file; another number is another form."""

_ARRAYS = ("bot_usd", "hedge_usd", "covariance_daily", "beta_btc", "in_sector", "cluster")


def write_book(folder: Path, book: EntryBook) -> None:
    """Put the book in place of the last one.

    Raises:
        OSError: it cannot be written.
    """
    beside = folder / f".{BOOK_NAME}.{os.getpid()}"
    beside.write_bytes(book_bytes(book))
    beside.replace(folder / BOOK_NAME)


def book_bytes(book: EntryBook) -> bytes:
    """The book as a file; arrays keep every bit."""
    head: dict[str, Any] = {
        "form": FORM,
        "timestamp_ms": book.timestamp_ms,
        "symbols": book.symbols,
        "volatility_btc_daily": book.volatility_btc_daily,
        "cluster_names": book.cluster_names,
        "equity_usd": book.equity_usd,
        "limits": asdict(book.limits),
        "names": [[*name, symbol] for name, symbol in book.names.items()],
        "holdings": [[*k, held.base, held.price_usd] for k, held in book.holdings.items()],
        "hedge_margin_usd": book.hedge_margin_usd,
        "bot_free_usd": book.bot_free_usd,
    }
    arrays: dict[str, NDArray[Any]] = {name: getattr(book, name) for name in _ARRAYS}
    arrays["crowding"] = book.crowding
    if book.beta_doubt is not None:
        arrays["beta_doubt"] = book.beta_doubt
    if book.token is not None:
        arrays["token"] = book.token
    if book.stress is not None:
        head["stress"] = {"names": book.stress.names, "shared": book.stress.shared}
        arrays["stress_returns"] = book.stress.returns
        arrays["stress_margin_rate"] = book.stress.margin_rate
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def parse_book(content: bytes) -> EntryBook:
    """The book in a file.

    Raises:
        DataError: it is damaged, or of another form.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop("head").tobytes())
        if head["form"] != FORM:
            raise DataError(f"{BOOK_NAME}: form {head['form']}, this version reads {FORM}")
        stress = None
        if "stress" in head:
            stress = AccountStress(
                tuple(head["stress"]["names"]),
                arrays["stress_returns"],
                arrays["stress_margin_rate"],
                shared=head["stress"]["shared"],
            )
        return EntryBook(
            timestamp_ms=head["timestamp_ms"],
            symbols=tuple(head["symbols"]),
            volatility_btc_daily=head["volatility_btc_daily"],
            cluster_names=tuple(head["cluster_names"]),
            equity_usd=head["equity_usd"],
            limits=RiskLimits(**head["limits"]),
            crowding=arrays["crowding"],
            stress=stress,
            names={(bot, name): symbol for bot, name, symbol in head.get("names", ())},
            beta_doubt=arrays.get("beta_doubt"),
            token=arrays.get("token"),
            holdings={(bot, s): BotHolding(base, usd) for bot, s, base, usd in head["holdings"]},
            hedge_margin_usd=head["hedge_margin_usd"],
            bot_free_usd=head["bot_free_usd"],
            **{name: arrays[name] for name in _ARRAYS},
        )
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{BOOK_NAME}: damaged, {type(error).__name__}") from error


class BookReader:
    """Reads the book again when the file has changed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / BOOK_NAME
        self._seen: tuple[int, int] | None = None
        self._book: EntryBook | None = None

    def read(self) -> EntryBook:
        """The last book.

        Raises:
            DataError: there is none, or it is damaged.
        """
        try:
            status = self._path.stat()
            seen = status.st_mtime_ns, status.st_ino
            if self._book is None or seen != self._seen:
                self._book, self._seen = parse_book(self._path.read_bytes()), seen
        except FileNotFoundError as error:
            raise DataError("no book yet: the engine has not looked") from error
        except OSError as error:
            raise DataError(f"{BOOK_NAME}: cannot be read: {error.strerror}") from error
        return self._book
