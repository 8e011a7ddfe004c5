"""The password of the dashboard: only its scrypt hash is ever kept."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from bot.errors import UsageError
from config.errors import ConfigError
from config.web import Web, find_password_hash

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 256
_N, _R, _P = 2**15, 8, 1
_SALT_BYTES, _DIGEST_BYTES = 16, 32
_MOST_MEMORY = 256 * 2**20


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password, as ``scrypt:n:r:p:salt:digest``."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """From its text.

        Raises:
            ConfigError: it is none.
        """
        try:
            kind, n, r, p, salt, digest = text.split(":")
            found = cls(int(n), int(r), int(p), _bytes(salt), _bytes(digest))
        except (ValueError, binascii.Error):
            kind, found = "", None
        if kind != "scrypt" or found is None or not found.usable:
            raise ConfigError(
                "web.password_hash_file: (not shown) — what `perphedge web-password` writes"
            )
        return found

    @property
    def usable(self) -> bool:
        """Whether it is strong enough, and cheap enough to check."""
        return (
            2**14 <= self.n <= 2**17
            and self.n & (self.n - 1) == 0
            and self.r == _R
            and 1 <= self.p <= 4
            and len(self.salt) >= _SALT_BYTES
            and len(self.digest) == _DIGEST_BYTES
        )

    def text(self) -> str:
        """As it is kept."""
        salt, digest = (base64.b64encode(part).decode() for part in (self.salt, self.digest))
        return f"scrypt:{self.n}:{self.r}:{self.p}:{salt}:{digest}"

    def matches(self, password: str) -> bool:
        """Whether it is the hash of this; takes some 60 ms whatever the answer."""
        found = _scrypt(password[:MOST_CHARACTERS], self.salt, self.n, self.r, self.p)
        return hmac.compare_digest(found, self.digest) and len(password) <= MOST_CHARACTERS


def hashed(password: str) -> PasswordHash:
    """A new hash of a password.

    Raises:
        UsageError: it is too short or too long.
    """
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise UsageError(
            f"password: {len(password)} characters — from {LEAST_CHARACTERS} to {MOST_CHARACTERS}"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    return PasswordHash(_N, _R, _P, salt, _scrypt(password, salt, _N, _R, _P))


def required_hash(web: Web) -> PasswordHash:
    """The hash that the settings name.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    return PasswordHash.of(find_password_hash(web).get_secret_value())


def write_hash(path: Path, one: PasswordHash) -> None:
    """Into a file that its owner alone may read, in place of what was there.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{one.text()}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)


def secret_key() -> SecretStr:
    """A key for as long as this process lives."""
    return SecretStr(secrets.token_hex(32))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=_MOST_MEMORY,
        dklen=_DIGEST_BYTES,
    )


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
