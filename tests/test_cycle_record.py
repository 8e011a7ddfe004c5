"""A cycle's document holds what the record holds."""

from dataclasses import asdict

from bot.records.cycle import CycleRecord, CycleStatus, ExposureRecord, LegRecord, OrderRecord
from risk.limits.caps import LimitBreach


def test_the_document_is_the_record_as_plain_types() -> None:
    record = CycleRecord(
        cycle_id="c1",
        timestamp="2025-06-15T15:06:40.000Z",
        timestamp_ms=1_750_000_000_000,
        status=CycleStatus.HEDGED,
        reason="",
        cap_use_before={"net_usd": 0.5},
        breaches_before=(LimitBreach("net_usd", "", 2.0, 1.0, bot_alone=True, curable=True),),
        exposure=ExposureRecord(1.0, 2.0, None, {"FET/USDT:USDT": 1.0}, 0.03),
        correlation={"symbols": ["A"], "matrix": [[1.0]]},
        legs=(LegRecord("FET/USDT:USDT", 1.0, 0.0, -1.0, -1.0, -1.0, 0.5),),
        orders=(OrderRecord("h1", "FET/USDT:USDT", "sell", "2", "0.5", False, "filled", "2", ""),),
        caps_reasons=("a", "b"),
    )
    assert record.document() == asdict(record)
