"""Rules over several fields: settings that are each allowed but contradict each other."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from config.aliases import exchange_family
from config.api import is_loopback
from config.errors import ConfigError
from config.explain import Problem
from config.settings import Settings
from config.show import value_text
from config.sources import AccountSource
from config.sources_freqtrade import FreqtradeSource
from config.venue import WITH_PASSPHRASE, WITH_TESTNET, VenueSettings
from config.web import origins
from strategies.registry import BUILT_IN


def conflicts(settings: Settings) -> list[Problem]:
    """Every contradiction within ``settings``, in the order of the file's sections."""
    return [problem for rule in _RULES for problem in rule(settings)]


def _sources_exist(s: Settings) -> Iterator[Problem]:
    if not s.sources and s.mode != "demo" and not s.venue.shared_account:
        yield Problem(
            "sources",
            "no source",
            "at least one, or venue.ownership: shared or hedge_mode; without positions there is "
            "nothing to hedge",
        )


def _names_differ(s: Settings) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for i, source in enumerate(s.sources):
        if source.name in first:
            yield Problem(
                f"sources[{i}].name",
                value_text(source.name),
                f"a name of its own, sources[{first[source.name]}] has this one",
            )
        first.setdefault(source.name, i)


def _servers_are_safe(s: Settings) -> Iterator[Problem]:
    for name, server in (("api", s.api), ("web", s.web)):
        if (server.certificate_file is None) != (server.certificate_key_file is None):
            missing = (
                "certificate_file" if server.certificate_file is None else "certificate_key_file"
            )
            yield Problem(
                f"{name}.{missing}",
                "missing",
                "certificate_file and certificate_key_file go together",
            )
        elif not is_loopback(server.host) and server.certificate_file is None:
            yield Problem(
                f"{name}.host",
                value_text(server.host),
                "127.0.0.1, ::1 or localhost; elsewhere only with certificate_file and "
                "certificate_key_file",
            )
    if s.api.enabled and s.web.enabled and s.api.port == s.web.port:
        yield Problem("web.port", value_text(s.web.port), "another port than api.port")


def _links_lead_to_the_pages(s: Settings) -> Iterator[Problem]:
    """A link that the dashboard would not answer is of no use in an alert."""
    url = s.approval.link_url
    if url is None:
        return
    parts = urlsplit(url.lower())
    base = f"{parts.scheme}://{parts.netloc}"
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    if parts.path not in ("", "/"):
        yield Problem(
            "approval.link_url",
            value_text(url),
            "an address without a path; the dashboard is served at the root of its address",
        )
    elif base.removesuffix(usual) not in origins(s.web):
        yield Problem(
            "approval.link_url",
            value_text(url),
            "an address at which the dashboard answers: one of web.allowed_origins, or of this "
            "machine with web.port",
        )


def _series_names_differ(s: Settings) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for i, series in enumerate(s.macro):
        if series.name in first:
            yield Problem(
                f"macro[{i}].name",
                value_text(series.name),
                f"a name of its own, macro[{first[series.name]}] has this one",
            )
        first.setdefault(series.name, i)


def _source_is_not_the_hedge_account(s: Settings) -> Iterator[Problem]:
    for i, source in enumerate(s.sources):
        if not isinstance(source, AccountSource):
            continue
        if (source.exchange, source.account_name) == (s.venue.exchange, s.venue.account):
            yield Problem(
                f"sources[{i}].account",
                value_text(source.account_name),
                "another account than venue.account, whose hedges would be taken for the bot's; "
                "where the bot trades in it too, leave this source out and set "
                "venue.ownership to shared or hedge_mode",
            )


def _bot_shares_a_shared_account(s: Settings) -> Iterator[Problem]:
    for i, source in enumerate(s.sources):
        if not isinstance(source, FreqtradeSource) or s.venue.shared_account:
            continue
        if source.same_account:
            yield Problem(
                f"sources[{i}].same_account",
                "true",
                "false while venue.ownership is sub_account; where the bot trades in the account "
                "of the hedges, venue.ownership must be shared or hedge_mode",
            )


def _simulated_exchange(s: Settings) -> Iterator[Problem]:
    for path, exchange, account in _accounts(s):
        host = account.urls_host
        if host is not None and path == "venue" and exchange != "binanceusdm":
            yield Problem(
                f"{path}.urls_host",
                value_text(host),
                f"only with exchange binanceusdm, which the simulated exchange speaks, not "
                f"{exchange}",
            )
        if s.mode == "live" and (host is None) != (s.venue.urls_host is None):
            yield Problem(
                f"{path}.urls_host",
                value_text(host),
                "in live mode either every account is on a simulated exchange or none: real "
                "and simulated positions do not hedge each other",
            )
    if s.mode == "demo" and s.venue.exchange != "binanceusdm":
        yield Problem("venue.exchange", value_text(s.venue.exchange), "binanceusdm in mode demo")


def _data_venues(s: Settings) -> Iterator[Problem]:
    first: dict[str, int] = {}
    home = exchange_family(s.venue.exchange)
    for i, one in enumerate(s.data.venues):
        path, venue = f"data.venues[{i}]", exchange_family(one.exchange)
        if venue == home:
            yield Problem(
                f"{path}.exchange",
                value_text(one.exchange),
                "another exchange than venue.exchange, whose data are those of the hedges",
            )
        if venue in first:
            yield Problem(
                f"{path}.exchange",
                value_text(one.exchange),
                f"each exchange only once, data.venues[{first[venue]}] is this one",
            )
        first.setdefault(venue, i)
        if (one.urls_host is None) != (s.venue.urls_host is None) and s.mode != "demo":
            yield Problem(
                f"{path}.urls_host",
                value_text(one.urls_host),
                "simulated where venue.urls_host is, and real where it is not: prices of the one "
                "tell nothing of the other's",
            )
        if one.testnet and (one.urls_host is not None or one.exchange not in WITH_TESTNET):
            yield Problem(
                f"{path}.testnet",
                "true",
                f"only without urls_host, for {', '.join(sorted(WITH_TESTNET))}",
            )


def _secret_files(s: Settings) -> Iterator[Problem]:
    for path, exchange, access in _accounts(s):
        key, secret = access.api_key_file, access.api_secret_file
        passphrase = access.api_passphrase_file
        if (key is None) != (secret is None):
            missing = "api_key_file" if key is None else "api_secret_file"
            yield Problem(
                f"{path}.{missing}", "missing", "api_key_file and api_secret_file go together"
            )
        elif passphrase is not None and exchange not in WITH_PASSPHRASE:
            yield Problem(
                f"{path}.api_passphrase_file",
                "(not shown)",
                f"only for {', '.join(sorted(WITH_PASSPHRASE))}; keys of {exchange} have none",
            )
        elif (key is None) != (passphrase is None) and exchange in WITH_PASSPHRASE:
            missing = "api_key_file" if key is None else "api_passphrase_file"
            yield Problem(
                f"{path}.{missing}",
                "missing",
                f"keys of {exchange} have three parts: key, secret and passphrase",
            )
        if key is not None and access.keyring_service is not None:
            yield Problem(
                f"{path}.keyring_service",
                "(not shown)",
                "not beside api_key_file: one or the other",
            )


def _accounts(s: Settings) -> Iterator[tuple[str, str, VenueSettings | AccountSource]]:
    yield "venue", s.venue.exchange, s.venue
    for i, source in enumerate(s.sources):
        if isinstance(source, AccountSource):
            yield f"sources[{i}]", source.exchange, source


def _lists_agree(s: Settings) -> Iterator[Problem]:
    universe = s.universe
    excluded = set(universe.exclude)
    for i, token in enumerate(universe.allow or ()):
        if token in excluded or token.partition("/")[0] in excluded:
            yield Problem(
                f"universe.allow[{i}]", value_text(token), "not in universe.exclude as well"
            )
    reference = universe.benchmarks[0]
    for i, token in enumerate(universe.exclude):
        if token in (reference, reference.partition("/")[0]):
            yield Problem(
                f"universe.exclude[{i}]",
                value_text(token),
                "not the first benchmark, in which beta and exposure are counted; to place no "
                "hedge in it, leave it out of universe.allow",
            )


def _enough_history(s: Settings) -> Iterator[Problem]:
    if s.data.backfill_days < s.universe.min_history_days:
        yield Problem(
            "data.backfill_days",
            value_text(s.data.backfill_days),
            f"at least universe.min_history_days ({s.universe.min_history_days}), or no token "
            "could ever carry a hedge",
        )


def _caps_within_controls(s: Settings) -> Iterator[Problem]:
    gross, most = s.caps.hedge_gross_equity_fraction, s.controls.hedge_gross_equity_fraction
    if gross is not None and gross > most:
        yield Problem(
            "caps.hedge_gross_equity_fraction",
            value_text(gross),
            f"at most controls.hedge_gross_equity_fraction ({value_text(most)}), or the hedges "
            "planned up to the cap would be denied",
        )
    margin, free = s.caps.margin_use, s.controls.min_free_margin
    if margin is not None and margin + free > 1 + 1e-9:
        yield Problem(
            "caps.margin_use",
            value_text(margin),
            f"at most 1 - controls.min_free_margin ({value_text(round(1 - free, 9))}), or the "
            "hedges planned up to the cap would be denied",
        )


def _controls_in_order(s: Settings) -> Iterator[Problem]:
    turnover, most = s.caps.turnover_daily_equity_fraction, s.controls
    if turnover is not None and turnover > most.max_daily_turnover_equity_fraction:
        yield Problem(
            "caps.turnover_daily_equity_fraction",
            value_text(turnover),
            "at most controls.max_daily_turnover_equity_fraction "
            f"({value_text(most.max_daily_turnover_equity_fraction)}), or the hedges planned up to "
            "the cap would be denied",
        )
    if most.halt_clock_offset_ms < most.max_clock_offset_ms:
        yield Problem(
            "controls.halt_clock_offset_ms",
            value_text(most.halt_clock_offset_ms),
            f"at least controls.max_clock_offset_ms ({value_text(most.max_clock_offset_ms)})",
        )


def _looks_before_decisions(s: Settings) -> Iterator[Problem]:
    if s.hedge.decide_every < s.hedge.monitor_every:
        yield Problem(
            "hedge.decide_every",
            value_text(s.hedge.decide_every),
            f"at least hedge.monitor_every ({value_text(s.hedge.monitor_every)})",
        )


def _strategy_is_there(s: Settings) -> Iterator[Problem]:
    """Those that come with perphedge are: reading a config does not import them."""
    if s.hedge.strategy in BUILT_IN:
        return
    from config.strategy import new_strategy

    try:
        new_strategy(s.hedge.strategy)
    except ConfigError as error:
        path, _, rest = str(error).partition(": ")
        value, _, wanted = rest.partition(" — ")
        yield Problem(path, value, wanted)


def _own_legs_are_shorts(s: Settings) -> Iterator[Problem]:
    if s.venue.ownership == "hedge_mode" and not s.hedge.shorts_only:
        yield Problem(
            "hedge.shorts_only",
            "false",
            "true with venue.ownership: hedge_mode, where the shorts are ours and the longs the "
            "bot's",
        )


def _folders_are_folders(s: Settings) -> Iterator[Problem]:
    for path, folder in (("state_dir", s.state_dir), ("data.cache_dir", s.data.cache_dir)):
        if folder is not None and folder.exists() and not folder.is_dir():
            yield Problem(path, value_text(folder), "a folder; there is a file of this name")


def _files_exist(s: Settings) -> Iterator[Problem]:
    for name in ("sectors_file", "aliases_file"):
        file = getattr(s.universe, name)
        if file is not None and not file.is_file():
            yield Problem(
                f"universe.{name}", value_text(file), "a file; there is none of this name"
            )


_RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    _folders_are_folders,
    _files_exist,
    _sources_exist,
    _names_differ,
    _series_names_differ,
    _source_is_not_the_hedge_account,
    _bot_shares_a_shared_account,
    _simulated_exchange,
    _data_venues,
    _secret_files,
    _lists_agree,
    _caps_within_controls,
    _controls_in_order,
    _looks_before_decisions,
    _own_legs_are_shorts,
    _enough_history,
    _strategy_is_there,
    _servers_are_safe,
    _links_lead_to_the_pages,
)
