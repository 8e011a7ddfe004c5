"""Asking an exchange for the funding that an account paid and received, of all symbols at once."""

from collections.abc import Mapping
from typing import Any, Final

_BITGET_MOST: Final = 100


async def fetch_funding_paid(
    exchange: Any, start_ms: int, end_ms: int, limit: int, params: Mapping[str, Any]
) -> Any:
    """ccxt's rows; raises what ccxt raises, and ValueError on nonsense."""
    if exchange.id == "bitget":
        return await _from_bills(exchange, start_ms, end_ms)
    return await exchange.fetch_funding_history(None, start_ms, limit, params)


async def _from_bills(exchange: Any, start_ms: int, end_ms: int) -> list[Any]:
    """Bitget, whose payments ccxt asks for by symbol only."""
    reply = await exchange.private_mix_get_v2_mix_account_bill(
        {
            "productType": "USDT-FUTURES",
            "businessType": "contract_settle_fee",
            "startTime": str(start_ms),
            "endTime": str(end_ms),
            "limit": str(_BITGET_MOST),
        }
    )
    data = reply.get("data") if isinstance(reply, dict) else None
    bills = data.get("bills") if isinstance(data, dict) else None
    if not isinstance(bills, list) or not all(isinstance(row, dict) for row in bills):
        raise ValueError("no list of bills")
    return [exchange.parse_funding_history(row) for row in bills]
