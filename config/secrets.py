"""Finds the key of an account: environment first, then files, then the keyring.

A secret is held in SecretStr from the first moment on and is never part of a message. Nor is a
file's name as the configuration gives it, until a file of that name exists: somebody may have
written the key itself there.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from config.errors import ConfigError
from config.show import printable
from config.sources import AccountSource
from config.venue import WITH_PASSPHRASE, VenueSettings

_MAX_BYTES = 16 * 1024
_PARTS = ("api_key", "api_secret", "api_passphrase")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Key of one account; printing it shows asterisks.

    ``paradex`` and ``hyperliquid``: the wallet's address and a private key, of hyperliquid that of
    an agent, which cannot move money.
    """

    api_key: SecretStr
    api_secret: SecretStr
    api_passphrase: SecretStr | None = None


def find_credentials(
    account: VenueSettings | AccountSource,
    *,
    field: str = "venue",
    environment: Mapping[str, str] | None = None,
) -> Credentials | None:
    """The account's key, or None when nothing names one.

    Args:
        account: the venue or a source.
        field: its place in the configuration, for messages.
        environment: in place of the process's own.

    Raises:
        ConfigError: a key is named but incomplete or unusable, or its file is open to others.
    """
    found = _from_environment(account, os.environ if environment is None else environment)
    if not found:
        found = _from_files(account, field)
    if not found and account.keyring_service is not None:
        found = _from_keyring(account.keyring_service, field)
    if not found:
        return None
    names = _PARTS if account.exchange in WITH_PASSPHRASE else _PARTS[:2]
    for name in names:
        if name not in found:
            raise ConfigError(
                f"{field}: the {_words(name)} is missing beside the {_words(next(iter(found)))} — "
                f"set {account.prefix}_{name.upper()}, or name all parts in files or keyring"
            )
    return Credentials(**{name: found[name] for name in names})


def need_credentials(
    account: VenueSettings | AccountSource,
    *,
    field: str = "venue",
    environment: Mapping[str, str] | None = None,
) -> Credentials:
    """As ``find_credentials``, but there must be a key.

    Raises:
        ConfigError: there is none, or as there.
    """
    found = find_credentials(account, field=field, environment=environment)
    if found is None:
        raise ConfigError(
            f"{field}: no API key — set {account.prefix}_API_KEY and {account.prefix}_API_SECRET, "
            "or name api_key_file and api_secret_file, or keyring_service"
        )
    return found


def _from_environment(
    account: VenueSettings | AccountSource, environment: Mapping[str, str]
) -> dict[str, SecretStr]:
    found = {}
    for name in _PARTS:
        variable = f"{account.prefix}_{name.upper()}"
        # An empty variable counts as not set: that is what container files pass on.
        if text := environment.get(variable, "").strip():
            found[name] = one_word(text, f"{variable} (environment)")
    return found


def _from_files(account: VenueSettings | AccountSource, field: str) -> dict[str, SecretStr]:
    paths = (account.api_key_file, account.api_secret_file, account.api_passphrase_file)
    return {
        name: read_secret(path, f"{field}.{name}_file")
        for name, path in zip(_PARTS, paths, strict=True)
        if path is not None
    }


def _from_keyring(service: str, field: str) -> dict[str, SecretStr]:
    where = f"{field}.keyring_service"
    found = keyring_texts(service, _PARTS, where)
    if "api_key" not in found and "api_secret" not in found:
        raise ConfigError(
            f"{where}: no entry api_key in this service — store it with "
            "`keyring set SERVICE api_key`, then api_secret"
        )
    return found


def keyring_texts(service: str, names: Sequence[str], where: str) -> dict[str, SecretStr]:
    """Of these entries of a service in the keyring, those that are there.

    Raises:
        ConfigError: the keyring cannot be read, or an entry is more than one word.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        texts = {name: keyring.get_password(service, name) for name in names}
    except KeyringError as error:
        # The backend's own words are not repeated: nobody knows what they hold.
        problem = type(error).__name__
    else:
        return {name: one_word(text.strip(), where) for name, text in texts.items() if text}
    raise ConfigError(
        f"{where}: the keyring cannot be read ({problem}) — use the environment or 0600 files"
    )


def read_secret(path: Path, where: str) -> SecretStr:
    """The one word of a private file.

    Raises:
        ConfigError: it cannot be read, is open to others, or holds something else.
    """
    return one_word(_read(path, where), where)


def _read(path: Path, where: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise ConfigError(f"{where}: the file may not be read by this user") from None
    except (OSError, ValueError):
        problem = "no such file"
    else:
        try:
            _refuse_open_to_others(os.fstat(descriptor), path, where)
            content = os.read(descriptor, _MAX_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(content) > _MAX_BYTES:
            raise ConfigError(f"{where}: larger than {_MAX_BYTES // 1024} KiB, which no key is")
        try:
            return content.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            problem = "not UTF-8 text"
    raise ConfigError(f"{where}: {problem} — a file with the secret alone, mode 0600")


def _refuse_open_to_others(status: os.stat_result, path: Path, where: str) -> None:
    shown = printable(str(path))
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{where}: not a regular file — a file with the secret alone, mode 0600")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigError(
            f"{where}: {shown} has mode {mode:04o}, others than its owner may use it — "
            f"chmod 600 {shown}"
        )


def one_word(text: str, where: str) -> SecretStr:
    """A secret that is one word.

    Raises:
        ConfigError: it is empty or more than that.
    """
    if not text:
        raise ConfigError(f"{where}: empty — a file with the secret alone, mode 0600")
    if not text.isprintable() or " " in text:
        raise ConfigError(f"{where}: holds more than one word — the secret alone is allowed")
    return SecretStr(text)


def _words(name: str) -> str:
    return name.replace("api_", "API ").replace("_", " ")
