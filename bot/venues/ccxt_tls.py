"""One set of root certificates for all clients of a process; each reads a hundred of them anew.

That takes tens of milliseconds of every start, and ccxt's clients are five or more.
"""

import ssl
from functools import lru_cache
from typing import Any

_KEPT = 8


@lru_cache(_KEPT)
def certificates(cafile: str) -> ssl.SSLContext:
    """A context that trusts what the file holds, read once."""
    return ssl.create_default_context(cafile=cafile)


def share_certificates(exchange: Any) -> None:
    """Gives the client, when it opens, the context that others with its certificates have."""
    opens = exchange.open

    def opened(*arguments: Any, **options: Any) -> Any:
        if exchange.ssl_context is None and exchange.verify is True:
            exchange.ssl_context = certificates(exchange.cafile)
        return opens(*arguments, **options)

    exchange.open = opened
