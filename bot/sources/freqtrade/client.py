"""Asks a freqtrade bot over its REST interface."""

from typing import ClassVar

from bot.sources.interface import BotClient
from risk.errors import DataError


class FreqtradeClient(BotClient):
    """One bot's interface."""

    program = "freqtrade"
    root = "/api/v1/"
    says: ClassVar[dict[int, str]] = {
        404: "there is no such address: is this freqtrade's API server?",
        503: "it cannot answer now: it may still be starting, or only serve web pages",
    }

    async def stream_token(self) -> str:
        """A word that opens its message stream for a quarter of an hour; raises as ``get``."""
        reply = await self._ask("POST", "token/login", None)
        token = reply.get("access_token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or not token:
            raise DataError(f"{self.where('token/login')}: access_token: missing, must be text")
        return token
