"""Asks hummingbot-api."""

from typing import ClassVar

from bot.sources.interface import BotClient


class HummingbotClient(BotClient):
    """One server's interface."""

    program = "hummingbot-api"
    says: ClassVar[dict[int, str]] = {
        404: "it knows no such account, or this is not hummingbot-api",
        422: "it does not understand the question: is this another version of hummingbot-api?",
        500: "it failed on its way to the answer",
        503: "it cannot answer now: it may still be starting",
    }
