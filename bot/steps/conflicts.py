"""The hands-off rule at the start: refused where it leaves nothing, told where hedges break it.

Each cycle keeps to it by itself; this tells before the first one, by one plain look.
"""

from bot.errors import SafetyError, UnreachableError, VenueError
from bot.measuring.conflict import Conflicts, find_conflicts
from bot.steps.parts import EngineParts, Policy
from risk.errors import DataError


async def require_room(parts: EngineParts, policy: Policy) -> Conflicts | None:
    """What is in conflict; None where it cannot be known yet, and each cycle asks anew.

    Raises:
        SafetyError: in an account that they share bots list all that might carry a hedge, and no
            hedge of ours is left to be closed there.
    """
    journal, monitor = parts.journal, parts.monitor
    own = {symbol for symbol, _ in journal.own_positions(parts.venue.account_name)}
    if not (own or monitor.minds_lists):
        return None
    try:
        universe = policy.universe(await monitor.instruments()).symbols
        held, listed = await monitor.of_bots()
    except (UnreachableError, VenueError, DataError) as error:
        parts.log.warning("conflicts_unknown", reason=str(error))
        return None
    found = find_conflicts(universe=universe, hedges=own, held_by_bot=held, listed_by_bot=listed)
    if found.lasting and not own:
        reason = (
            f"account {parts.venue.account_name}: bots list or have orders in all "
            f"{len(universe)} symbols that might carry a hedge, so nothing is left to hedge with; "
            "give the hedges an account of their own (venue.ownership: sub_account), or the bots "
            "a shorter list"
        )
        journal.record_event("refused", {"control": "hands_off", "reason": reason})
        raise SafetyError(reason)
    for symbol, why in found.hedges.items():
        parts.log.warning("hedge_hands_off_at_start", symbol=symbol, reason=why)
    if found.nothing_left:
        parts.log.warning("nothing_left_at_start", symbols=len(universe))
    return found
