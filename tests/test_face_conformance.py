"""Every reply carries every key of the official examples, with the same types."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.venues.http.face import Face
from bot.venues.http.routes import PUBLIC, SIGNED
from tests.face_market import Market, open_market

SHARED = Path(__file__).resolve().parents[2] / "shared"
EXAMPLES = SHARED / "venue_examples" / "binance_usdm_official.json"
NO_EXAMPLE = {("GET", "/fapi/v1/ping"), ("GET", "/sapi/v1/account/apiRestrictions")}
# What the examples fold into one row: an order and a refusal, one filter of each type.
REFUSAL = ("code", "msg")
BATCHES = {"PlaceMultipleOrders", "ModifyMultipleOrders", "CancelMultipleOrders"}
LOTS = ("minQty", "maxQty", "stepSize")
FILTERS = {
    "PRICE_FILTER": ("minPrice", "maxPrice", "tickSize"),
    "LOT_SIZE": LOTS,
    "MARKET_LOT_SIZE": LOTS,
    "MAX_NUM_ORDERS": ("limit",),
    "MIN_NOTIONAL": ("notional",),
    "PERCENT_PRICE": ("multiplierUp", "multiplierDown", "multiplierDecimal"),
}
ALWAYS_EMPTY = {"exchangeFilters"}  # the example holds a placeholder; the real list is empty
ORDER = {"symbol": "FETUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


def problems(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """What ours lacks or has in another type."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [f"{where}: {type(ours).__name__} instead of an object"]
        found = [f"{where}.{key}: missing" for key in theirs if key not in ours]
        for key in theirs.keys() & ours.keys():
            found += problems(ours[key], theirs[key], f"{where}.{key}")
        return found
    if isinstance(theirs, list):
        return _list_problems(ours, theirs, where)
    if type(ours) is not type(theirs):
        return [f"{where}: {type(ours).__name__} instead of {type(theirs).__name__}"]
    return []


def _list_problems(ours: Any, theirs: list[Any], where: str) -> list[str]:
    """Each row of ours is like one of theirs, and each of theirs is like one of ours."""
    if not isinstance(ours, list):
        return [f"{where}: {type(ours).__name__} instead of a list"]
    if not theirs or where.rpartition(".")[2] in ALWAYS_EMPTY:
        return []
    if not ours:
        return [f"{where}: empty, so nothing is compared"]
    if not any(isinstance(one, dict | list) for one in theirs) and where.endswith("[]"):
        return _row_problems(ours, theirs, where)
    found = [_nearest([problems(one, other, f"{where}[]") for other in theirs]) for one in ours]
    found += [_nearest([problems(one, other, f"{where}[]") for one in ours]) for other in theirs]
    return sorted({line for lines in found for line in lines})


def _row_problems(ours: list[Any], theirs: list[Any], where: str) -> list[str]:
    """A row of a table, as of a bar: each place has its meaning."""
    if len(ours) < len(theirs):
        return [f"{where}: {len(ours)} values instead of {len(theirs)}"]
    pairs = enumerate(zip(ours, theirs, strict=False))
    return [line for k, (a, b) in pairs for line in problems(a, b, f"{where}[{k}]")]


def _nearest(choices: list[list[str]]) -> list[str]:
    return min(choices, key=len)


def test_the_comparison_finds_what_is_wrong() -> None:
    theirs = {"a": "1", "b": [{"c": 1}], "d": True, "e": [[1, "2"]], "f": ["X", "Y"]}
    good = {"a": "2", "b": [{"c": 5, "x": 0}] * 2, "d": False, "e": [[2, "x", 5]], "f": ["Z"]}
    assert problems(good, theirs) == []
    assert sorted(problems({"a": 1, "b": [], "d": 0, "f": [1]}, theirs)) == [
        ".a: int instead of str",
        ".b: empty, so nothing is compared",
        ".d: int instead of bool",
        ".e: missing",
        ".f[]: int instead of str",
    ]
    assert problems({**good, "b": [{"c": 1}, {"x": 1}]}, theirs) == [".b[].c: missing"]
    assert problems({**good, "e": [[2, "x"], [2]]}, theirs) == [".e[]: 1 values instead of 2"]
    assert problems({**good, "e": [["2", "x"]]}, theirs) == [".e[][0]: str instead of int"]
    both = [{"kind": "A", "p": 1}, {"kind": "B", "q": "1"}]
    assert problems(both[::-1], both) == []
    assert problems(both[:1], both) == ["[].q: missing"]


def _unfolded(name: str, response: Any) -> Any:
    """The example with a row of its own for each kind that it shows."""
    if name in BATCHES:
        [folded] = response
        kinds = [folded.keys() - set(REFUSAL), REFUSAL]
        return [{key: folded[key] for key in keys} for keys in kinds]
    if name == "ExchangeInformation":
        for symbol in response["symbols"]:
            [folded] = symbol["filters"]
            assert folded.keys() == {"filterType"}.union(*FILTERS.values())
            symbol["filters"] = [
                {"filterType": kind, **{key: folded[key] for key in keys}}
                for kind, keys in FILTERS.items()
            ]
    return response


def _with_history(market: Market) -> int:
    """Positions, resting orders, executions, funding and a liquidation; the resting order's id."""
    bot = "bot"
    market.did("POST", "/fapi/v1/leverage", "thin", symbol="FETUSDT", leverage=20)
    price = float(market.get("/fapi/v1/ticker/price", symbol="FETUSDT")["price"])
    size = round(4_000 / price)
    market.did(
        "POST", "/fapi/v1/order", "thin",
        symbol="FETUSDT", side="BUY", type="MARKET", quantity=size,
    )  # fmt: skip
    market.did(
        "POST", "/fapi/v1/order", bot,
        symbol="FETUSDT", side="BUY", type="MARKET", quantity=2000, newOrderRespType="RESULT",
    )  # fmt: skip
    market.crash("FET/USDT:USDT", 0.9)
    market.advance(8 * 3_600_000)
    price = float(market.get("/fapi/v1/ticker/price", symbol="FETUSDT")["price"]) * 0.93
    resting = market.did(
        "POST", "/fapi/v1/order", "bot", **ORDER, quantity=100, price=f"{price:.4f}"
    )
    assert resting["status"] == "NEW"
    return int(resting["orderId"])


def _requests(market: Market, order_id: int) -> dict[str, tuple[str, str | None, dict[str, Any]]]:
    """By name of the example: method, account, parameters."""
    fet, btc = {"symbol": "FETUSDT"}, {"symbol": "BTCUSDT"}
    bars = {"interval": "1h", "limit": 3}
    price = market.get("/fapi/v1/ticker/price", symbol="FETUSDT")["price"]
    bid = f"{float(price) * 0.9:.4f}"
    order = {**ORDER, "quantity": 200, "price": bid}
    amended = {**fet, "side": "BUY", "quantity": 150, "price": bid, "orderId": order_id}
    wrong = {**order, "quantity": 0}
    return {
        "AccountInformationV2": ("GET", "bot", {}),
        "AccountInformationV3": ("GET", "bot", {}),
        "FuturesAccountBalanceV2": ("GET", "bot", {}),
        "FuturesAccountBalanceV3": ("GET", "bot", {}),
        "FuturesAccountConfiguration": ("GET", "bot", {}),
        "FuturesTradingQuantitativeRulesIndicators": ("GET", "bot", {}),
        "GetBnbBurnStatus": ("GET", "bot", {}),
        "GetCurrentMultiAssetsMode": ("GET", "bot", {}),
        "GetCurrentPositionMode": ("GET", "bot", {}),
        "GetIncomeHistory": ("GET", "bot", {}),
        "NotionalAndLeverageBrackets": ("GET", "bot", fet),
        "QueryUserRateLimit": ("GET", "bot", {}),
        "SymbolConfiguration": ("GET", "bot", fet),
        "ToggleBnbBurnOnFuturesTrade": ("POST", "bot", {"feeBurn": "true"}),
        "UserCommissionRate": ("GET", "bot", fet),
        "AdlRisk": ("GET", None, btc),
        "CheckServerTime": ("GET", None, {}),
        "CompressedAggregateTradesList": ("GET", None, fet),
        "ContinuousContractKlineCandlestickData": (
            "GET", None, {"pair": "FETUSDT", "contractType": "PERPETUAL", **bars},
        ),
        "ExchangeInformation": ("GET", None, {}),
        "GetFundingRateHistory": ("GET", None, btc),
        "GetFundingRateInfo": ("GET", None, {}),
        "IndexPriceKlineCandlestickData": ("GET", None, {"pair": "BTCUSDT", **bars}),
        "KlineCandlestickData": ("GET", None, btc | bars),
        "MarkPrice": ("GET", None, btc),
        "MarkPriceKlineCandlestickData": ("GET", None, btc | bars),
        "OpenInterest": ("GET", None, btc),
        "OpenInterestStatistics": ("GET", None, {**btc, "period": "1h"}),
        "OrderBook": ("GET", None, btc),
        "PremiumIndexKlineData": ("GET", None, btc | bars),
        "RecentTradesList": ("GET", None, btc),
        "SymbolOrderBookTicker": ("GET", None, btc),
        "SymbolPriceTicker": ("GET", None, btc),
        "SymbolPriceTickerV2": ("GET", None, btc),
        "Ticker24hrPriceChangeStatistics": ("GET", None, btc),
        "AccountTradeList": ("GET", "bot", fet),
        "AllOrders": ("GET", "bot", fet),
        "AutoCancelAllOpenOrders": ("POST", "bot", {**fet, "countdownTime": 100_000}),
        "CurrentAllOpenOrders": ("GET", "bot", {}),
        "QueryOrder": ("GET", "bot", {**fet, "orderId": order_id}),
        "QueryCurrentOpenOrder": ("GET", "bot", {**fet, "orderId": order_id}),
        "PositionAdlQuantileEstimation": ("GET", "bot", {}),
        "PositionInformationV2": ("GET", "bot", {}),
        "PositionInformationV3": ("GET", "bot", {}),
        "UsersForceOrders": ("GET", "thin", {}),
        "TestOrder": ("POST", "bot", order),
        "NewOrder": ("POST", "bot", {**order, "newClientOrderId": "conform"}),
        "ModifyOrder": ("PUT", "bot", amended),
        "ModifyMultipleOrders": (
            "PUT", "bot",
            {"batchOrders": json.dumps([{**amended, "quantity": 160}, {**amended, "orderId": 1}])},
        ),
        "PlaceMultipleOrders": ("POST", "bot", {"batchOrders": json.dumps([order, wrong])}),
        "CancelMultipleOrders": ("DELETE", "bot", {**fet, "orderIdList": f"[{order_id},1]"}),
        "CancelOrder": ("DELETE", "bot", {**fet, "origClientOrderId": "conform"}),
        "CancelAllOpenOrders": ("DELETE", "bot", fet),
        "ChangeInitialLeverage": ("POST", "bot", {**btc, "leverage": 10}),
        "ChangeMarginType": ("POST", "hedge", {**btc, "marginType": "ISOLATED"}),
        "ChangeMultiAssetsMode": ("POST", "bot", {"multiAssetsMargin": "true"}),
        "ChangePositionMode": ("POST", "hedge", {"dualSidePosition": "true"}),
    }  # fmt: skip


@pytest.mark.skipif(not EXAMPLES.exists(), reason="../shared is not here")
def test_every_reply_has_the_keys_and_types_of_the_official_examples() -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    market = open_market()
    every = dict.fromkeys(market.exchange.instruments, ("AI",))
    market = replace(market, face=Face(market.exchange, market.tape, market.clock, every))
    requests = _requests(market, _with_history(market))
    found: list[str] = []
    answered = set()
    for name, (method, account, params) in requests.items():
        path = examples[name]["path"]
        status, document = market.ask(method, path, account, **params)
        if status != 200:
            found.append(f"{name}: {document}")
            continue
        answered.add((method, path))
        theirs = _unfolded(name, examples[name]["response"])
        found += [f"{name}{line}" for line in problems(document, theirs)]
    assert not found, "\n".join(found)
    assert {*PUBLIC, *SIGNED} - answered == NO_EXAMPLE


def test_every_symbol_has_every_filter_once() -> None:
    info = open_market().get("/fapi/v1/exchangeInfo")
    assert info["symbols"]
    for symbol in info["symbols"]:
        assert [one["filterType"] for one in symbol["filters"]] == list(FILTERS)
        for one in symbol["filters"]:
            assert one.keys() == {"filterType", *FILTERS[one["filterType"]]}


@pytest.mark.skipif(not EXAMPLES.exists(), reason="../shared is not here")
@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("AdlRisk", None),
        ("GetFundingRateHistory", None),
        ("MarkPrice", None),
        ("SymbolOrderBookTicker", None),
        ("SymbolPriceTicker", None),
        ("SymbolPriceTickerV2", None),
        ("Ticker24hrPriceChangeStatistics", None),
        ("NotionalAndLeverageBrackets", "bot"),
        ("SymbolConfiguration", "bot"),
    ],
)
def test_a_reply_for_all_symbols_has_a_whole_row_for_each(name: str, account: str | None) -> None:
    example = json.loads(EXAMPLES.read_text(encoding="utf-8"))[name]
    row = example["response"][0] if isinstance(example["response"], list) else example["response"]
    market = open_market()
    rows = market.get(example["path"], account)
    trading = market.tape.quotes(market.clock.now_ms())
    assert {one["symbol"] for one in rows} == {symbol.split("/")[0] + "USDT" for symbol in trading}
    assert [problems(one, row) for one in rows] == [[]] * len(rows)
