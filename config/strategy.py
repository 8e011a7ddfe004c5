"""The strategy that the config names: one that comes with perphedge, or the owner's own."""

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from operator import attrgetter
from typing import Any

from config.errors import ConfigError
from config.show import printable, value_text
from risk.covariance.estimators import ESTIMATORS
from strategies.base import HedgeStrategy, estimator_of
from strategies.own import OwnStrategy
from strategies.registry import BUILT_IN

GROUP = "perphedge.strategies"
"""Entry points of installed packages in which strategies are looked for by name."""


def new_strategy(name: str, field: str = "hedge.strategy") -> HedgeStrategy:
    """A new strategy by its name, its entry point, or ``package.module:Class``.

    The owner's own code is imported and called without arguments, with all rights of this process:
    whoever may write the config may run code. Its answers are looked at before they are used
    (``OwnStrategy``).

    Args:
        name: as the config has it.
        field: for messages.

    Raises:
        ConfigError: there is none, it cannot be imported or made, or it is no strategy; one line.
    """
    where = f"{field}: {value_text(name)}"
    module, _, attribute = _target(name, where).partition(":")
    try:
        strategy = attrgetter(attribute)(import_module(module))()
    except (Exception, SystemExit) as error:  # the owner's code may raise anything
        told = printable(f"{type(error).__name__}: {error}")
        raise ConfigError(f"{where} — cannot be made: {told}") from error
    if problem := _unfit(strategy):
        raise ConfigError(f"{where} — is no strategy: {problem}")
    fit: HedgeStrategy = strategy
    return fit if name in BUILT_IN else OwnStrategy(fit)


def strategy_names() -> tuple[str, ...]:
    """Those that come with perphedge, then those of other installed packages."""
    others = {point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)
    return (*BUILT_IN, *sorted(others))


def _target(name: str, where: str) -> str:
    """``module:what to call`` of a name."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" in name:
        return name
    for point in entry_points(group=GROUP, name=name):
        return f"{point.module}:{point.attr}"
    close = difflib.get_close_matches(name.lower(), strategy_names(), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    known = ", ".join(strategy_names())
    raise ConfigError(f"{where} — one of: {known}; or package.module:Class of your own{hint}")


def _unfit(strategy: Any) -> str | None:
    """What it lacks."""
    if not isinstance(getattr(strategy, "name", None), str):
        return "it has no name, which must be text"
    if not callable(getattr(strategy, "decide", None)):
        return "it has no method decide(facts, choices)"
    if estimator_of(strategy) not in ESTIMATORS:
        given = value_text(estimator_of(strategy))
        return f"its estimator is {given}, must be one of {', '.join(ESTIMATORS)}"
    return None
