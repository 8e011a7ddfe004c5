"""Who is told of alerts, through which services, and when (section ``alerts``)."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from config.fields import Listed, Name, Note, SecretPath, Strict, refuse

Weight = Literal["note", "warning", "alarm"]
Minutes = Annotated[float, Field(ge=1, le=10_080), Note(unit="minutes")]
TimeOfDay = Annotated[
    str | None,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Note("a time of the day such as '22:00'", null="no quiet hours"),
]


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise refuse("a time zone such as Europe/Berlin or UTC") from None
    return value


TimeZone = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"),
    AfterValidator(_known_zone),
    Note("a time zone such as Europe/Berlin or UTC"),
]


class AlertRoute(Strict):
    """One way to somebody, through one of the services that apprise knows."""

    name: Name = Field(description="As log, metrics and messages call it; unique.")
    url_file: SecretPath = Field(
        default=None,
        description="File with the service's address as apprise writes it, such as ntfys://TOPIC "
        "or tgram://TOKEN/CHAT; it is a secret. PERPHEDGE_ALERT_URL_NAME in the environment comes "
        "first, with the route's name in capitals.",
    )
    least: Weight = Field(
        default="warning",
        description="It is told of what is at least so weighty. `alarm`: something is halted or "
        "must be looked at now. `warning`: all other alerts, and proposals that wait for somebody.",
    )
    escalation: bool = Field(
        default=False,
        description="It is told only of what nobody has acknowledged in `escalate_minutes`, and "
        "again each time they have passed.",
    )

    @property
    def variable(self) -> str:
        """The environment variable that may hold the address."""
        return f"PERPHEDGE_ALERT_URL_{self.name.upper().replace('-', '_').replace('.', '_')}"


class Alerts(Strict):
    """Who is told of alerts; log, journal and `perphedge status` have them in any case."""

    routes: Annotated[
        tuple[AlertRoute, ...], Listed, Note("a list of routes, each with name and more")
    ] = Field(default=(), description="Ways to somebody's attention.")
    repeat_minutes: Minutes = Field(
        default=60.0,
        description="Trouble that ends and comes back is told again no earlier than this.",
    )
    escalate_minutes: Minutes = Field(
        default=5.0, description="An alert that nobody acknowledges for so long is escalated."
    )
    quiet_from: TimeOfDay = Field(
        default=None, description="From then on what is less than `quiet_through` waits."
    )
    quiet_to: TimeOfDay = Field(default=None, description="Then all that has waited is told.")
    quiet_zone: TimeZone = Field(default="UTC", description="Whose time of the day that is.")
    quiet_through: Weight = Field(
        default="alarm", description="What is at least so weighty is told in quiet hours too."
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=300), Note(unit="seconds")] = Field(
        default=15.0, description="A service that takes longer counts as failing, for the moment."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        names = [route.variable for route in self.routes]
        if len(set(names)) < len(names):
            raise refuse("routes: each with a name of its own")
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise refuse("quiet_from and quiet_to: both or neither")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise refuse("quiet_to: another time than quiet_from")
        return self
