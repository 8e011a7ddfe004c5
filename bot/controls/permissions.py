"""What an API key may do, and whether that is too much."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bot.errors import SafetyError


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """As the venue tells; None where it does not.

    Attributes:
        withdraw, transfer: money may leave the account with it.
        ip_bound: it works from named addresses only.
    """

    withdraw: bool | None
    transfer: bool | None
    ip_bound: bool | None


@runtime_checkable
class PermissionReader(Protocol):
    """A venue that tells what its key may do."""

    async def key_permissions(self) -> KeyPermissions | None:
        """None where this venue does not tell."""
        ...


def require_harmless(account: str, found: KeyPermissions | None) -> str:
    """What the venue did not tell, in one line; empty when it told everything.

    Raises:
        SafetyError: the key can do more than trade.
    """
    if found is None:
        return "the exchange does not tell what the key may do; check it there"
    if found.withdraw:
        raise SafetyError(f"account {account}: its key can withdraw; make one that may only trade")
    if found.transfer:
        raise SafetyError(f"account {account}: its key can transfer; make one that may only trade")
    if found.ip_bound is False:
        raise SafetyError(
            f"account {account}: its key works from every address; bind it to this one's"
        )
    facts = (("withdraw", found.withdraw), ("transfer", found.transfer), ("ip", found.ip_bound))
    untold = [name for name, value in facts if value is None]
    return f"the exchange does not tell of the key: {', '.join(untold)}" if untold else ""
