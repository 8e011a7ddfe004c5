"""A freqtrade bot, asked over its own REST interface (``kind: freqtrade``)."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from config.fields import Duration, Note, Strict
from config.logins import BotUrl, LoginAccess


class EntryLocks(Strict):
    """Locks that keep freqtrade from entering what is over its cap already."""

    enabled: bool = Field(
        default=False,
        description="Lock entries of the side that would make a cap worse, for the pairs that the "
        "bot lists, while a decision leaves the token or its cluster over that cap.",
    )
    margin: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=1))] = Field(
        default=timedelta(minutes=10),
        description="How long a lock outlasts the next decision, in case that comes late.",
    )


class FreqtradeSource(LoginAccess):
    """A freqtrade bot in futures mode, in dry run or live."""

    kind: Literal["freqtrade"] = Field(description="What kind of source it is.")
    url: BotUrl = Field(description="Address of its API server, such as http://127.0.0.1:8080.")
    max_age_seconds: Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")] = Field(
        default=60.0,
        description="A bot whose loop has not ended a round for longer means that no cycle runs.",
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60), Note(unit="seconds")] = Field(
        default=5.0, description="How long one request may take."
    )
    stream: bool = Field(
        default=True, description="Listen to its messages, so that a fill wakes a cycle at once."
    )
    whitelist: bool = Field(
        default=True,
        description="Its whitelist counts as what the bot may trade: in an account that it shares "
        "with the hedges nothing is hedged there.",
    )
    same_account: bool = Field(
        default=False,
        description="It trades in the account of the hedges, where its positions are read; of "
        "freqtrade itself only what it lists is taken.",
    )
    locks: EntryLocks = EntryLocks()
