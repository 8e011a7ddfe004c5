"""What a venue says about one perpetual contract.

Increments and minimums are Decimal because orders are rounded with them exactly; fees and the
funding interval are float because only the mathematics reads them.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """One linear perpetual, in base units throughout (contracts are converted at the venue's edge).

    Attributes:
        symbol: ccxt's unified symbol, ``FET/USDT:USDT``.
        base: base currency, ``FET``.
        quote: quote and settlement currency, ``USDT``; taken as USD.
        venue: ccxt's exchange id, ``binanceusdm``.
        contract_size: base units in one contract.
        tick: smallest price step, in quote units.
        lot: smallest quantity step, in base units.
        min_quantity: smallest quantity of an order, in base units.
        min_notional_usd: smallest notional of an order that is not reduce-only, in USD.
        maker_fee: fee of a resting fill, a fraction of notional.
        taker_fee: fee of a crossing fill, a fraction of notional.
        funding_interval_hours: hours between two funding payments now (1, 2, 4 or 8).
        listed_at_ms: first trading moment, UTC milliseconds; None where the venue does not tell.
        max_quantity: largest quantity of one order, in base units; None where there is no limit.
    """

    symbol: str
    base: str
    quote: str
    venue: str
    contract_size: Decimal
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional_usd: Decimal
    maker_fee: float
    taker_fee: float
    funding_interval_hours: float
    listed_at_ms: int | None = None
    max_quantity: Decimal | None = None
