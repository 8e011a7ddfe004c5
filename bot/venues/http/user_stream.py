"""Opening, keeping and closing the stream of an account's own events."""

from bot.venues.http.face import Face, SignedCall
from bot.venues.http.wire import Json


def start(face: Face, call: SignedCall) -> Json:
    """POST v1/listenKey."""
    return {"listenKey": face.listen_keys.start(call.account, call.now_ms)}


def keep_alive(face: Face, call: SignedCall) -> Json:
    """PUT v1/listenKey."""
    return {"listenKey": face.listen_keys.keep_alive(call.account, call.now_ms)}


def close(face: Face, call: SignedCall) -> Json:
    """DELETE v1/listenKey."""
    face.listen_keys.close(call.account)
    return {}
