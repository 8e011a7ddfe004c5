"""Bugs that others have had in looking at an account and in stopping, planted into real parts."""

from typing import Any

import bot.measuring.monitor
import bot.venues.codes.table
from bot.halt import HaltSwitch
from bot.lock import EngineLock
from bot.measuring.monitor import Monitor
from bot.state_files import StateFolder
from bot.venues.streams.inbox import StreamInbox
from tests.planted_bug import Bug, Patch


def stale_positions_accepted(patch: Patch) -> None:
    patch.setattr(Monitor, "_check_age", lambda *_: None)


def halt_ignored(patch: Patch) -> None:
    patch.setattr(HaltSwitch, "reason", property(lambda _self: None))


def halt_forgotten_at_restart(patch: Patch) -> None:
    began = HaltSwitch.__init__
    read = vars(HaltSwitch)["reason"].fget

    def forgetting(self: HaltSwitch, state_dir: Any) -> None:
        began(self, state_dir)
        vars(self)["_ignored"] = read(self)

    def reason(self: HaltSwitch) -> str | None:
        now: str | None = read(self)
        return None if now == vars(self)["_ignored"] else now

    patch.setattr(HaltSwitch, "__init__", forgetting)
    patch.setattr(HaltSwitch, "reason", property(reason))


def lock_ignored(patch: Patch) -> None:
    patch.setattr(EngineLock, "acquire", lambda _self: None)


def secrets_told(patch: Patch) -> None:
    patch.setattr(bot.venues.codes.table, "clean_text", lambda text, longest=160: text)


def mute_stream_trusted(patch: Patch) -> None:
    patch.setattr(StreamInbox, "_look", lambda _self, _now_ms: None)


def halt_not_synced(patch: Patch) -> None:
    def hasty(self: StateFolder, name: str, text: str) -> None:
        self._device.write(self.path / name, text.encode())

    patch.setattr(StateFolder, "put", hasty)


STOPPING = (
    Bug(stale_positions_accepted, ("stale_feed",), ("I6",)),
    Bug(halt_ignored, ("stall",), ("I8",)),
    Bug(halt_forgotten_at_restart, ("sigkill",), ("I8",)),
    Bug(lock_ignored, ("double_start",), ("one engine",)),
    Bug(secrets_told, ("key_revoked",), ("I12",)),
    Bug(mute_stream_trusted, ("stream_mute",), ("streams",)),
    Bug(halt_not_synced, ("power_loss",), ("I8",)),
)
