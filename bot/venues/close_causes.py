"""How exchanges mark executions that they made themselves, as data. Pure.

Binance's list of trades marks nothing: there the order tells by its client id, and is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ADL, _LIQUIDATION, _SETTLEMENT = "adl", "liquidation", "settlement"


@dataclass(frozen=True, slots=True)
class CauseRule:
    """A field of an execution, and what its values mean, by their beginning or their whole.

    Attributes:
        field: as the exchange writes it.
        whole, beginning, within: cause by value, by its beginning, or by a part of it.
    """

    field: str
    whole: Mapping[str, str]
    beginning: tuple[tuple[str, str], ...] = ()
    within: tuple[tuple[str, str], ...] = ()

    def cause(self, info: Mapping[str, Any]) -> str:
        """``adl``, ``liquidation``, ``settlement``, or empty for an order of somebody's."""
        told = str(info.get(self.field) or "").lower()
        for start, cause in self.beginning:
            if told.startswith(start):
                return cause
        for part, cause in self.within:
            if part in told:
                return cause
        return self.whole.get(told, "")


_OKX_LIQUIDATIONS: Final = tuple(str(number) for number in (*range(100, 108), 110, 111))

_RULES: Final[Mapping[str, CauseRule]] = {
    "bybit": CauseRule(
        "execType",
        {
            "adltrade": _ADL,
            "busttrade": _LIQUIDATION,
            "delivery": _SETTLEMENT,
            "settle": _SETTLEMENT,
        },
    ),
    "okx": CauseRule(
        "subType",
        {
            **dict.fromkeys(_OKX_LIQUIDATIONS, _LIQUIDATION),
            **dict.fromkeys(("112", "113"), _SETTLEMENT),
            **dict.fromkeys(("125", "126", "127", "128"), _ADL),
        },
    ),
    "bitget": CauseRule(
        "tradeSide",
        {},
        beginning=(("burst_", _LIQUIDATION), ("delivery_", _SETTLEMENT), ("reduce_", _LIQUIDATION)),
        within=(("adl", _ADL),),
    ),
    "gate": CauseRule(
        "text",
        {"auto_deleveraging": _ADL, "liquidation": _LIQUIDATION},
        beginning=(
            ("liq-", _LIQUIDATION),
            ("hedge-liq-", _LIQUIDATION),
            ("pm_liquidate", _LIQUIDATION),
            ("comb_margin_liquidate", _LIQUIDATION),
            ("scm_liquidate", _LIQUIDATION),
        ),
    ),
    "hyperliquid": CauseRule(
        "dir",
        {"auto-deleveraging": _ADL, "settlement": _SETTLEMENT},
        within=(("liquidat", _LIQUIDATION),),
    ),
}


def cause_of(venue: str, info: Mapping[str, Any]) -> str:
    """Which part of the exchange made an execution; empty where it does not say so."""
    rule = _RULES.get(venue)
    return "" if rule is None else rule.cause(info)
