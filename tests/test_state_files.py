"""The small files of a state directory: safely there before anybody goes on, and gone for good."""

import errno
import os
from pathlib import Path

import pytest

from bot import requests
from bot.halt import HaltSwitch
from bot.state_files import StateFolder, SystemDevice


class Noted(SystemDevice):
    """The machine's own files; notes each step that changes them."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def write(self, path: Path, content: bytes) -> None:
        self.steps.append(("write", path.name))
        super().write(path, content)

    def rename(self, path: Path, to: Path) -> None:
        self.steps.append(("rename", to.name))
        super().rename(path, to)

    def remove(self, path: Path) -> None:
        self.steps.append(("remove", path.name))
        super().remove(path)

    def sync(self, path: Path) -> None:
        self.steps.append(("sync", path.name))
        super().sync(path)


def test_a_halt_is_on_the_disk_before_it_is_told_and_so_is_its_end(tmp_path: Path) -> None:
    device = Noted()
    switch = HaltSwitch(StateFolder(tmp_path, device))
    switch.trip("news")
    assert device.steps == [("write", "HALT"), ("sync", "HALT"), ("sync", tmp_path.name)]
    device.steps.clear()
    switch.clear()
    assert device.steps == [("remove", "HALT"), ("sync", tmp_path.name)]
    assert switch.reason is None


def test_a_halt_that_comes_anew_outlasts_the_end_of_the_one_before(tmp_path: Path) -> None:
    engine, person = HaltSwitch(tmp_path), HaltSwitch(tmp_path)
    engine.trip("news")
    seen = engine.content
    person.trip_again("more news")
    engine.clear_seen(seen)
    assert engine.reason == "more news news"
    engine.clear_seen(engine.content)
    assert engine.reason is None
    person.trip_again("x")
    engine.clear_seen(None)
    assert engine.reason == "x"


def test_a_request_is_whole_or_not_there_and_does_not_come_back(tmp_path: Path) -> None:
    device = Noted()
    folder = StateFolder(tmp_path, device)
    requests.ask(folder, requests.RESUME_NAME, requests.Asked("ann", "looked"))
    hidden = f".RESUME.{os.getpid()}"
    assert device.steps == [
        ("write", hidden),
        ("sync", hidden),
        ("rename", "RESUME"),
        ("sync", tmp_path.name),
    ]
    assert requests.waiting(tmp_path, "RESUME") == requests.Asked("ann", "looked")
    device.steps.clear()
    requests.taken(folder, requests.RESUME_NAME)
    assert device.steps == [("remove", "RESUME"), ("sync", tmp_path.name)]
    assert requests.waiting(folder, "RESUME") is None


def test_a_halt_that_the_disk_will_not_keep_is_on_until_restart(tmp_path: Path) -> None:
    class Broken(SystemDevice):
        def sync(self, path: Path) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    switch = HaltSwitch(StateFolder(tmp_path, Broken()))
    switch.trip("news")
    assert "cannot be written: Input/output error" in (switch.reason or "")
    with pytest.raises(OSError, match="Input/output"):
        switch.clear()
    assert switch.reason is not None


def test_names_are_told_by_how_they_begin_and_what_is_set_aside_is_kept(tmp_path: Path) -> None:
    device = Noted()
    folder = StateFolder(tmp_path, device)
    for name in ("SETTLE-b", "SETTLE-a", "HALT", ".SETTLE-c.7"):
        (tmp_path / name).write_text(name)
    assert folder.names("SETTLE-") == ["SETTLE-a", "SETTLE-b"]
    folder.set_aside("SETTLE-a", "OLD-a")
    assert device.steps == [("rename", "OLD-a"), ("sync", tmp_path.name)]
    assert folder.names("SETTLE-") == ["SETTLE-b"]
    assert (tmp_path / "OLD-a").read_text() == "SETTLE-a"
