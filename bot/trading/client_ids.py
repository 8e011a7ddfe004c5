"""Client order ids: derived from what the order is for, never random, never used twice."""

import base64
import hashlib
import hmac
import json

_PREFIX = "h1"
_DIGEST_BYTES = 15  # 120 bits are exactly 24 characters of base32


def derive_client_id(
    install_key: bytes, *, account: str, symbol: str, intent_id: str, leg: str, attempt: int
) -> str:
    """26 letters and digits that name one attempt of one leg of one intent.

    The same facts give the same id, so a restart finds the order that a crash left behind. The
    key keeps two installations on one account apart. Short and alphanumeric, as every exchange
    takes it.

    Raises:
        ValueError: the key is shorter than 16 bytes or the attempt is negative.
    """
    if len(install_key) < 16:
        raise ValueError(f"an install key of {len(install_key)} bytes is too short, at least 16")
    if attempt < 0:
        raise ValueError(f"attempt {attempt}, must be at least 0")
    # A JSON list keeps the borders between the fields, so no two lists of facts read the same.
    facts = json.dumps([account, symbol, intent_id, leg, attempt]).encode()
    digest = hmac.new(install_key, facts, hashlib.sha256).digest()
    return _PREFIX + base64.b32encode(digest[:_DIGEST_BYTES]).decode().lower()
