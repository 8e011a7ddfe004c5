"""What a key may do, as six exchanges tell it, and that secrets show up nowhere."""

import io
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from bot.clock import SimulatedClock, SystemClock
from bot.controls.permissions import KeyPermissions, require_harmless
from bot.errors import PerphedgeError, SafetyError, UnreachableError, VenueError
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS
from bot.venues.ccxt_safety import HiddenText, refuse_unsafe
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client as loopback_client
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from risk.errors import DataError
from tests.execute_scene import order
from tests.venue_bitget import bitget_reply
from tests.venue_bybit import bybit_reply
from tests.venue_okx import okx_reply
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import (
    CLIENT_ID,
    KEY,
    PASSPHRASE,
    PRIVATE,
    SECRET,
    VENUES,
    WALLET,
    client,
    credentials,
    cut_in_the_body,
    hang_up,
    playing,
    said,
    serving,
    text,
)


def _binance_key(**change: Any) -> dict[str, Any]:
    return {
        "ipRestrict": True,
        "enableReading": True,
        "enableFutures": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        **change,
    }


def _bybit_key(wallet: list[str], ips: list[str]) -> Any:
    rights = {"ContractTrade": ["Order", "Position"], "Wallet": wallet, "Spot": []}
    return bybit_reply({"readOnly": 0, "permissions": rights, "ips": ips})


def _okx_key(perm: str, ip: str) -> Any:
    return okx_reply([{"uid": "7", "posMode": "net_mode", "perm": perm, "ip": ip}])


def _bitget_key(rights: list[str], ips: str) -> Any:
    return bitget_reply({"userId": "7", "ips": ips, "authorities": rights, "parentId": 7})


def _gate_key(rights: dict[str, bool], ips: list[str]) -> Any:
    perms = [{"name": name, "read_only": read_only} for name, read_only in rights.items()]
    other = {"key": "somebody-elses", "perms": [{"name": "withdraw", "read_only": False}]}
    return [other, {"key": KEY, "state": 1, "perms": perms, "ip_whitelist": ips}]


PATHS = {
    "binanceusdm": "GET /sapi/v1/account/apiRestrictions",
    "bybit": "GET /v5/user/query-api",
    "okx": "GET /api/v5/account/config",
    "bitget": "GET /api/v2/spot/account/info",
    "gate": "GET /api/v4/account/main_keys",
}
HARMLESS = {
    "binanceusdm": _binance_key(),
    "bybit": _bybit_key([], ["192.0.2.7"]),
    "okx": _okx_key("read_only,trade", "192.0.2.7,192.0.2.8"),
    "bitget": _bitget_key(["coor", "coow", "cpor", "cpow"], "192.0.2.7"),
    "gate": _gate_key({"futures": False, "account": True, "wallet": True}, ["192.0.2.7"]),
}
WITHDRAWS = {
    "binanceusdm": [_binance_key(enableWithdrawals=True)],
    "bybit": [_bybit_key(["AccountTransfer", "Withdraw"], ["192.0.2.7"])],
    "okx": [_okx_key("read_only,withdraw,trade", "192.0.2.7")],
    "bitget": [
        _bitget_key(["coow", "wwow"], "192.0.2.7"),
        _bitget_key(["trade", "withdraw"], "192.0.2.7"),
    ],
    "gate": [_gate_key({"futures": False, "withdraw": False}, ["192.0.2.7"])],
}
TRANSFERS = {
    "binanceusdm": [
        _binance_key(enableInternalTransfer=True),
        _binance_key(permitsUniversalTransfer=True),
    ],
    "bybit": [_bybit_key(["SubMemberTransfer"], ["192.0.2.7"])],
    "bitget": [_bitget_key(["coow", "wtow"], "192.0.2.7")],
    "gate": [_gate_key({"futures": False, "wallet": False}, ["192.0.2.7"])],
}
FROM_ANYWHERE = {
    "binanceusdm": [_binance_key(ipRestrict=False)],
    "bybit": [_bybit_key([], ["*"]), _bybit_key([], [])],
    "okx": [_okx_key("read_only,trade", "")],
    "bitget": [_bitget_key(["coow"], "")],
    "gate": [_gate_key({"futures": False}, [])],
}
SAYING_NOTHING = {
    "binanceusdm": {"ipRestrict": True},
    "bybit": bybit_reply({"readOnly": 0}),
    "okx": okx_reply([{"uid": "7", "posMode": "net_mode"}]),
    "bitget": bitget_reply({"userId": "7"}),
    "gate": [{"key": KEY, "state": 1}],
}


async def permissions(venue: str, reply: Any, status: int = 200) -> KeyPermissions | None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        server.answers[PATHS[venue]] = said(reply, status)
        return await adapter.key_permissions()


@pytest.mark.parametrize("venue", sorted(PATHS))
async def test_a_key_that_may_only_trade_from_here_passes(venue: str) -> None:
    found = await permissions(venue, HARMLESS[venue])
    transfer = None if venue == "okx" else False
    assert found == KeyPermissions(withdraw=False, transfer=transfer, ip_bound=True)
    untold = require_harmless("hedge", found)
    assert untold == ("the exchange does not tell of the key: transfer" if venue == "okx" else "")


@pytest.mark.parametrize("venue", sorted(PATHS))
@pytest.mark.parametrize(
    ("keys", "words"),
    [(WITHDRAWS, "can withdraw"), (TRANSFERS, "can transfer"), (FROM_ANYWHERE, "every address")],
)
async def test_a_key_that_can_do_more_is_refused(
    venue: str, keys: dict[str, list[Any]], words: str
) -> None:
    if venue not in keys:
        pytest.skip("this exchange does not tell")
    for reply in keys[venue]:
        found = await permissions(venue, reply)
        with pytest.raises(SafetyError, match=words) as caught:
            require_harmless("hedge", found)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("venue", sorted(PATHS))
async def test_what_is_not_told_is_not_harmless(venue: str) -> None:
    with pytest.raises(DataError, match="permissions of the key"):
        await permissions(venue, SAYING_NOTHING[venue])
    if venue == "gate":
        assert await permissions(venue, {"label": "FORBIDDEN", "message": "No."}, 403) is None
        assert await permissions(venue, []) is None
        assert "does not tell" in require_harmless("hedge", None)
        return
    with pytest.raises((DataError, VenueError, UnreachableError)):
        await permissions(venue, [], 500)


async def test_hyperliquid_knows_the_wallets_own_key_from_an_agents() -> None:
    async with playing("hyperliquid", PLAYS["hyperliquid"]) as (_, adapter):
        exchange = adapter._exchange
        found = await adapter.key_permissions()
        assert found == KeyPermissions(withdraw=False, transfer=False, ip_bound=None)
        exchange.walletAddress = exchange.eth_get_address_from_private_key(PRIVATE)
        assert exchange.walletAddress.lower() != WALLET.lower()
        with pytest.raises(SafetyError, match="can withdraw"):
            require_harmless("hedge", await adapter.key_permissions())


async def test_an_exchange_that_is_not_known_tells_nothing() -> None:
    import ccxt.async_support

    adapter = CcxtVenue(ccxt.async_support.bingx(), "hedge", SystemClock())
    assert await adapter.key_permissions() is None
    await adapter.close()


@asynccontextmanager
async def simulated(**rights: bool) -> AsyncIterator[tuple[SimAccount, CcxtVenue]]:
    tape = generated_tape(11, 1_750_000_000_000)
    clock = SimulatedClock(tape.start_ms + 20 * DAY_MS)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 11)
    account = exchange.open_account("hedge", "hedge-key", "hedge-secret", Decimal(50_000))
    for name, value in rights.items():
        setattr(account, name, value)
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        raw = loopback_client(
            server.host, key="hedge-key", secret="hedge-secret", now_ms=clock.now_ms
        )
        raw.timeout_on_exit = 0
        adapter = CcxtVenue(raw, "hedge", clock)
        try:
            yield account, adapter
        finally:
            await adapter.close()


async def test_the_simulated_exchange_tells_of_its_keys() -> None:
    async with simulated() as (account, adapter):
        found = await adapter.key_permissions()
        assert found == KeyPermissions(withdraw=False, transfer=False, ip_bound=True)
        account.key_withdraws = True
        with pytest.raises(SafetyError, match="hedge: its key can withdraw"):
            require_harmless("hedge", await adapter.key_permissions())
        account.key_withdraws, account.key_transfers = False, True
        with pytest.raises(SafetyError, match="can transfer"):
            require_harmless("hedge", await adapter.key_permissions())
        account.key_transfers, account.key_ip_bound = False, False
        with pytest.raises(SafetyError, match="every address"):
            require_harmless("hedge", await adapter.key_permissions())


# Secrets

LEAKS = (KEY, SECRET, PASSPHRASE, PRIVATE, PRIVATE[2:])


async def failure_of(call: Callable[[], Awaitable[Any]]) -> BaseException:
    """The error of a call; one without a cause where it brings something back."""
    try:
        await call()
    except PerphedgeError as error:
        return error
    return ValueError("none")


def chain_of(error: BaseException) -> str:
    """Everything that a traceback, a log or a debugger would show of an error."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    parts, seen = ["".join(lines)], []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        parts += [repr(one), str(one), repr(one.args), repr(vars(one))]
        one = one.__cause__ or one.__context__
    return "\n".join(parts)


@pytest.mark.parametrize("venue", VENUES)
async def test_no_failure_shows_a_secret(
    venue: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every logger at its loudest, and the client told to print what it sends."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("ccxt").setLevel(logging.DEBUG)
    shown = io.StringIO()
    echo = f'{{"code": "40725", "retCode": 99, "label": "X", "msg": "{KEY} {SECRET}"}}'
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        adapter._exchange.verbose = True
        request = order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5")
        for handler in (
            text(f"<html>{KEY} {SECRET}</html>"),
            text(echo, 400, "application/json"),
            text(echo, 500, "application/json"),
            text("", 302, Location=f"http://127.0.0.1:9/?apiKey={KEY}"),
            cut_in_the_body,
            hang_up,
        ):
            server.order = handler
            print(repr(await adapter.place(request)), file=shown)
            for name in list(server.answers):
                server.answers[name] = handler
            print(repr(await adapter.find(SYMBOLS[venue], CLIENT_ID)), file=shown)
            for call in (adapter.account, adapter.key_permissions):
                error = await failure_of(call)
                assert error.__cause__ is None
                assert error.__context__ is None
                print(chain_of(error), file=shown)
            print(repr(vars(adapter)), file=shown)
            print(repr(vars(adapter._exchange)), file=shown)
        print(repr(adapter), repr(adapter._wire), file=shown)
    printed = capsys.readouterr()
    everything = shown.getvalue() + caplog.text + printed.out + printed.err
    for secret in LEAKS:
        at = everything.find(secret)
        assert at < 0, everything[max(0, at - 200) : at].replace(KEY, "KEY")
    for mark in ("signature=", "X-BAPI-SIGN", "OK-ACCESS-SIGN", "ACCESS-SIGN", "apiKey="):
        assert mark not in everything


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("venue", VENUES)
async def test_a_client_that_was_just_made_prints_and_keeps_nothing(
    venue: str,
    streams: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also one that nobody has wrapped, at debug level and told to print what it sends."""
    caplog.set_level(logging.DEBUG)
    for name in ("ccxt", "ccxt.base.exchange", "aiohttp", "asyncio", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with serving(PLAYS[venue]) as (server, host):
        near = host if venue == "binanceusdm" else None
        exchange = make_client(
            venue, credentials=credentials(venue), streams=streams, urls_host=near
        )
        if near is None:
            exchange.urls["api"] = client(venue, host).urls["api"]
        exchange.verbose, exchange.timeout = True, 700
        exchange.timeout_on_exit = 0
        await exchange.load_markets()
        server.answers.clear()
        with pytest.raises(ccxt.BaseError):
            await exchange.fetch_balance()
        assert server.asked, "or nothing was proven"
        kept = repr(vars(exchange))
        await exchange.close()
    printed = capsys.readouterr()
    everything = caplog.text + printed.out + printed.err + kept
    assert not [secret for secret in LEAKS if secret in everything]


@pytest.mark.parametrize("venue", VENUES)
async def test_hidden_secrets_sign_all_the_same(venue: str) -> None:
    async with serving(PLAYS[venue]) as (_, host):
        exchange = client(venue, host)
        adapter = CcxtVenue(exchange, "hedge", SystemClock())
        assert SECRET not in repr(vars(exchange))
        secret = exchange.privateKey if venue == "hyperliquid" else exchange.secret
        assert isinstance(secret, HiddenText)
        assert secret == (PRIVATE if venue == "hyperliquid" else SECRET)
        assert repr(secret) == "'**********'"
        await adapter.close()


@pytest.mark.parametrize(
    "options",
    [
        {"maxRetriesOnFailure": 1},
        {"order": {"maxRetriesOnFailure": 2}},
        {"createOrder": {"deep": [{"maxRetriesOnFailure": 3}]}},
    ],
)
def test_a_client_that_would_repeat_is_refused_wherever_it_is_told(options: Any) -> None:
    exchange = loopback_client("127.0.0.1:9")
    exchange.options.update(options)
    with pytest.raises(SafetyError, match="maxRetriesOnFailure"):
        refuse_unsafe(exchange)
    plain = loopback_client("127.0.0.1:9")
    plain.maxRetriesOnFailure = 1
    with pytest.raises(SafetyError, match="maxRetriesOnFailure"):
        CcxtVenue(plain, "hedge", SystemClock())


async def test_no_tls_no_order() -> None:
    """The client speaks TLS to a server that does not: nobody knows what became of it."""
    from bot.trading.orders import UnknownOutcome

    async with serving(PLAYS["okx"]) as (server, host):
        exchange = client("okx", host)
        adapter = CcxtVenue(exchange, "hedge", SystemClock())
        await adapter._markets.load()
        exchange.urls["api"] = client("okx", host, "https").urls["api"]
        outcome = await adapter.place(order(CLIENT_ID, symbol=SYMBOLS["okx"], price="0.5"))
        assert isinstance(outcome, UnknownOutcome)
        assert server.orders == []
        await adapter.close()
