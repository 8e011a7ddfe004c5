"""The one tree of exceptions, rooted here because every layer may raise.

    PerphedgeError
    ├── DataError                 data that cannot be used; names symbol and time  (exit 2)
    │   ├── MissingDataError      something needed is not there (never replaced by zero)
    │   │   └── UnmeasurableError a symbol that is needed has no covariance
    │   └── StaleDataError        it is there, but older than its stated age
    ├── EstimationError           a figure cannot be computed from the data given  (exit 2)
    ├── OptimizationError         the problem is malformed (infeasible is a value)  (exit 1)
    │   └── NotDirectError        strategies/canonical.py: a problem's numbers are no linear map of
    │                             its parameters; it is solved another way  (exit 1)
    ├── ConfigError               config/errors.py: a field, its value, what is allowed  (exit 2)
    ├── VenueReject               bot/venues/sim/errors.py: the simulated exchange's refusal, an
    │                             answer to its client rather than an error of ours  (exit 1)
    ├── EngineDefectError         bot/session/codec.py: what a door raised when it was recorded and
    │                             is none of these  (exit 1)
    └── bot/errors.py
        ├── UsageError            wrong arguments on the command line  (exit 2)
        ├── LockHeldError         another engine holds the state directory  (exit 3)
        ├── HaltedError           the engine is halted  (exit 4)
        │   └── HaltedOnTheWayError  bot/venues/ccxt_wire.py: as an order waited  (exit 4)
        ├── UnreachableError      a venue or a position source does not answer  (exit 5)
        ├── VenueError            the venue answered, but with an error  (exit 5)
        ├── SafetyError           refused for safety  (exit 6)
        ├── JournalError          the journal cannot be read or written  (exit 6)
        │   └── BrokenChainError  bot/journal/verify.py: a row is not as it was written  (exit 6)
        └── UntrippedError        bot/selftest: a control did not act as it must  (exit 1)

Outside of it stands ProcessEndedError (bot/faults/errors.py), by which a simulated process dies:
nothing in that process may catch it.

Messages say what was wrong, with its value, and what to do about it.
"""

from collections.abc import Mapping


class PerphedgeError(Exception):
    """Root of all exceptions that perphedge raises on purpose."""


class DataError(PerphedgeError):
    """Market or account data that cannot be used."""


class MissingDataError(DataError):
    """Something needed is not there; it is never taken for zero."""


class UnmeasurableError(MissingDataError):
    """Symbols that are held, or needed as a reference, have no covariance.

    Attributes:
        reasons: why, by symbol.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        symbol, reason = next(iter(self.reasons.items()))
        more = f"; {len(self.reasons) - 1} more like it" if len(self.reasons) > 1 else ""
        super().__init__(f"{symbol}: cannot be measured ({reason}), so no cycle{more}")


class StaleDataError(DataError):
    """The data is there but older than its stated age."""


class EstimationError(PerphedgeError):
    """A figure cannot be computed from the data given."""


class OptimizationError(PerphedgeError):
    """The hedge problem is malformed; infeasibility is a value, not this."""
