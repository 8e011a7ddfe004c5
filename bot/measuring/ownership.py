"""Whether the hedge account is what the owner says that it is, asked once before anything is sent.

The setting is ``venue.ownership``. While the engine runs, a sub-account in which something turns up
that is not ours puts every cycle on hold, and the position mode is watched by its own control.
"""

from bot.errors import SafetyError
from bot.journal.journal import Journal
from bot.measuring.hedge_account import HedgeAccount
from bot.ports import Clock, Venue, VenueAccount

EXCLUSIVE = "sub_account"
LEGS_APART = "hedge_mode"


async def require_ownership(
    ownership: str, venue: Venue, journal: Journal, clock: Clock, *, pause_s: float = 1.0
) -> None:
    """Refuses an account that is used otherwise than ``ownership`` says, by two reads that agree.

    Args:
        ownership: ``sub_account``, ``shared`` or ``hedge_mode``.
        pause_s: between the two reads.

    Raises:
        SafetyError: the account is not so; the journal has the reason.
        UnreachableError, VenueError, DataError: it cannot be read.
    """
    hedges = HedgeAccount(venue, journal, clock)
    if _wrong(ownership, hedges, await venue.account()) is None:
        return
    await clock.sleep(pause_s)
    wrong = _wrong(ownership, hedges, await venue.account())
    if wrong is not None:
        journal.record_event("refused", {"control": "ownership", "reason": wrong})
        raise SafetyError(wrong)


def _wrong(ownership: str, hedges: HedgeAccount, account: VenueAccount) -> str | None:
    if ownership == EXCLUSIVE:
        return hedges.foreign(account)
    apart = ownership == LEGS_APART
    if apart and not account.hedge_mode:
        return (
            f"account {hedges.name} holds long and short together; venue.ownership: hedge_mode "
            "needs its hedge mode on, or set it to shared"
        )
    if not apart and account.hedge_mode:
        return (
            f"account {hedges.name} holds long and short apart; set venue.ownership to hedge_mode"
        )
    return None
