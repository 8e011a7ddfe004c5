"""Accounts of a served exchange: from a file, or two of fixed sandbox keys."""

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import yaml

from bot.errors import UsageError

DEFAULT_WALLET_USD: Final = Decimal(100_000)
_FIELDS: Final = ("name", "api_key", "api_secret", "wallet_usd")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One account to open."""

    name: str
    api_key: str
    api_secret: str = field(repr=False)
    wallet_usd: Decimal


def default_accounts() -> list[AccountSpec]:
    """``bot`` and ``hedge``, keys ``sandbox-NAME-key`` and ``sandbox-NAME-secret``.

    The keys are no secrets: they open nothing but a simulated exchange on this machine.
    """
    return [
        AccountSpec(name, f"sandbox-{name}-key", f"sandbox-{name}-secret", DEFAULT_WALLET_USD)
        for name in ("bot", "hedge")
    ]


def read_accounts(path: Path) -> list[AccountSpec]:
    """A YAML or JSON list of ``{name, api_key, api_secret, wallet_usd}``.

    Raises:
        UsageError: the file cannot be read or an account in it is not right.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"accounts file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UsageError(f"accounts file {path}: neither YAML nor JSON") from None
    if not isinstance(document, list) or not document:
        raise UsageError(f"accounts file {path}: must be a list of at least one account")
    accounts = [_account(f"accounts file {path}: [{k}]", one) for k, one in enumerate(document)]
    for name in ("name", "api_key"):
        values = [getattr(one, name) for one in accounts]
        if len(set(values)) != len(values):
            raise UsageError(f"accounts file {path}: two accounts have the same {name}")
    return accounts


def _account(where: str, item: Any) -> AccountSpec:
    if not isinstance(item, dict):
        raise UsageError(f"{where} must have the fields {', '.join(_FIELDS)}")
    wrong = sorted(str(key) for key in item if key not in _FIELDS)
    lacking = [name for name in _FIELDS if item.get(name) is None or item[name] == ""]
    if wrong or lacking:
        problem = f"unknown field {wrong[0]!r}" if wrong else f"{lacking[0]} is missing"
        raise UsageError(f"{where} {problem}; fields are {', '.join(_FIELDS)}")
    key = str(item["api_key"])
    if _KEY.fullmatch(key) is None:
        raise UsageError(f"{where}.api_key must be 1 to 128 letters, digits, - or _")
    return AccountSpec(
        name=str(item["name"]),
        api_key=key,
        api_secret=str(item["api_secret"]),
        wallet_usd=_wallet(where, item["wallet_usd"]),
    )


def _wallet(where: str, value: Any) -> Decimal:
    try:
        wallet = Decimal(str(value))
    except InvalidOperation:
        wallet = Decimal("NaN")
    if isinstance(value, bool) or not wallet.is_finite() or wallet <= 0:
        raise UsageError(f"{where}.wallet_usd is {value!r}, must be a number of USD above 0")
    return wallet
