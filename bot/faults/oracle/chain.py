"""The journal's chain, followed by the oracle's own hand: each row is sealed as it stands."""

import hashlib
import json
import sqlite3

_encode = json.JSONEncoder(separators=(",", ":")).encode
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def broken_chain(connection: sqlite3.Connection) -> str:
    """The first thing that is wrong with it, in one line; empty where nothing is."""
    names = sorted(row[0] for row in connection.execute(_TABLES) if row[0][:7] != "sqlite_")
    if "chain" not in names:
        return ""
    sealed: dict[tuple[str, int], bytes] = {}
    link = bytes(32)
    lines = connection.execute("SELECT id, source, row, digest, link FROM chain ORDER BY id")
    for expected, (number, source, row, digest, told) in enumerate(lines, start=1):
        place = f"{number} {row} {source}".encode()
        link = hashlib.sha256(link + bytes(digest) + place).digest()
        if number != expected or link != bytes(told):
            return f"line {expected} of the chain does not follow from the one before"
        sealed[source, row] = bytes(digest)
    for name in names:
        if name == "chain":
            continue
        for row, *values in connection.execute(f"SELECT rowid, * FROM {name}"):  # noqa: S608 - of this file
            text = _encode([name, row, *values])
            if sealed.pop((name, row), b"") != hashlib.sha256(text.encode()).digest():
                return f"row {row} of {name} is not as it was sealed"
    removed = {hashlib.sha256(f'["{s}",{row}]'.encode()).digest() for s, row in sealed}
    if not removed.issuperset(sealed.values()):
        return f"{len(sealed)} sealed rows are gone"
    return ""
