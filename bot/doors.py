"""Where the engine meets the world: everything that it is ever told comes through these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.feeds.other_venues import OtherVenues
from bot.ports import MarketData, PositionSource, Venue
from bot.steps.entry_blocks import EntryLocker
from bot.venues.streams.desk import StreamDesk


@dataclass(frozen=True, slots=True)
class Doors:
    """One engine's.

    Attributes:
        streams: what is told without being asked; None: everything is asked for.
        other_venues: public data of exchanges where bots trade beside that of the hedges.
        lockers: keep bots from entering what is over its cap.
    """

    market: MarketData
    venue: Venue
    sources: list[PositionSource]
    streams: StreamDesk | None = None
    other_venues: OtherVenues | None = None
    lockers: tuple[EntryLocker, ...] = ()

    def named(self) -> Mapping[str, Any]:
        """Those that answer questions, each by a name of its own."""
        found: dict[str, Any] = {"market": self.market, "venue": self.venue}
        found |= {f"source {one.name}": one for one in self.sources}
        return found if self.other_venues is None else found | {"others": self.other_venues}

    def through(self, stand_in: Callable[[str, Any], Any]) -> "Doors":
        """With each of them replaced by what ``stand_in`` makes of its name and itself."""
        made = {name: stand_in(name, one) for name, one in self.named().items()}
        return replace(
            self,
            market=made["market"],
            venue=made["venue"],
            sources=[made[f"source {one.name}"] for one in self.sources],
            other_venues=made.get("others"),
        )
