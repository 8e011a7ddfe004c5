"""Everything that an owner decides, as one frozen object."""

from typing import Annotated, Literal

from pydantic import Field

from config.alerts import Alerts
from config.api import Api, EntryCheckSettings
from config.approval import Approval
from config.calendar import Calendar
from config.caps import Caps
from config.controls import Controls
from config.costs import Costs
from config.execution import Execution
from config.fields import FilePath, Listed, Note, Strict, UrlsHost
from config.hedge import Hedge
from config.macro import MacroSeries
from config.ownership import OwnershipSettings
from config.sources import Source
from config.streams import Streams
from config.stress import Stress
from config.universe import Universe
from config.venue import Exchange, VenueSettings
from config.web import Web


class DataVenue(Strict):
    """How the public data of one other exchange are reached; without an entry, as they are."""

    exchange: Exchange = Field(description="The exchange, by ccxt's id.")
    urls_host: UrlsHost = Field(
        default=None,
        description="Address of a simulated exchange that plays it, in place of the real one.",
    )
    testnet: bool = Field(
        default=False,
        description="Read the exchange's test network, where the bot trades there; not for "
        "binanceusdm and kucoinfutures.",
    )


class Data(Strict):
    """Market history kept on this machine, and where it comes from."""

    cache_dir: Annotated[
        FilePath | None, Note("the path of a folder", null="the folder cache in state_dir")
    ] = Field(default=None, description="Folder with bars and funding already fetched.")
    backfill_days: Annotated[int, Field(ge=15, le=400), Note(unit="days")] = Field(
        default=60, description="Days of hourly bars that are fetched before the first cycle."
    )
    venues: Annotated[
        tuple[DataVenue, ...], Listed, Note("a list of exchanges, each with exchange and more")
    ] = Field(
        default=(),
        description="Exchanges on which bots trade beside that of the hedges, where their public "
        "data are reached in another way than usual.",
    )


class Log(Strict):
    """What is shown while running; the log in ``state_dir`` always holds everything."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Events below this level are not shown on stderr."
    )
    max_mb: Annotated[float, Field(ge=0.1, le=10_000), Note(unit="MB")] = Field(
        default=32.0, description="The log's file is put aside when it is larger."
    )
    kept: Annotated[int, Field(ge=0, le=100)] = Field(
        default=4, description="So many older files of the log are kept beside it."
    )


class Settings(Strict):
    """The whole configuration file."""

    mode: Annotated[Literal["paper", "live", "demo"], Note(later=("replay",))] = Field(
        description="`paper`: hedges in a simulated account on live data. `live`: orders on the "
        "exchange, only together with `--live --account` on the command line. `demo`: everything "
        "simulated."
    )
    autonomy: Literal["propose", "approve", "auto"] = Field(
        default="propose",
        description="`propose`: proposals are journaled and printed, no order is placed. "
        "`approve`: each waits until somebody approves it. `auto`: proposals are executed.",
    )
    state_dir: Annotated[FilePath, Note("the path of a folder")] = Field(
        description="Folder of journal, log and lock; the engine knows its hedges from it.",
    )
    venue: VenueSettings
    sources: Annotated[
        tuple[Source, ...], Listed, Note("a list of sources, each with kind and name")
    ] = Field(default=(), description="Where the bot's positions are read.")
    universe: Universe = Universe()
    caps: Caps = Caps()
    macro: Annotated[
        tuple[MacroSeries, ...], Listed, Note("a list of series, each with kind and name")
    ] = Field(default=(), description="Series that tighten the caps, such as VIX.")
    calendar: Calendar = Calendar()
    hedge: Hedge = Hedge()
    stress: Stress = Stress()
    controls: Controls = Controls()
    approval: Approval = Approval()
    alerts: Alerts = Alerts()
    execution: Execution = Execution()
    costs: Costs = Costs()
    ownership: OwnershipSettings = OwnershipSettings()
    streams: Streams = Streams()
    api: Api = Api()
    entry_check: EntryCheckSettings = EntryCheckSettings()
    web: Web = Web()
    data: Data = Data()
    log: Log = Log()
