"""Bugs that others have had, each planted into a real part of the engine, for the oracle to find.

A bug is a function that bends the part; the table says under which faults it must show, and as
which broken promises.
"""

from tests.planted_booking import BOOKING
from tests.planted_bug import Bug
from tests.planted_finding import FINDING
from tests.planted_sending import SENDING
from tests.planted_stopping import STOPPING

BUGS: tuple[Bug, ...] = (*SENDING, *BOOKING, *FINDING, *STOPPING)
