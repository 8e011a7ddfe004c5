"""Listings through the engine: the venue's list changes between two cycles."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from risk.instrument import Instrument
from tests.cycle_scene import NEAR, TAO, Scene, open_scene, paper_settings

Ask = Callable[[], Awaitable[Mapping[str, Instrument]]]


def without(*gone: str) -> Callable[[Ask], Awaitable[Mapping[str, Instrument]]]:
    """A venue that does not list these."""

    async def answer(ask: Ask) -> Mapping[str, Instrument]:
        return {s: i for s, i in (await ask()).items() if s not in gone}

    return answer


def news(scene: Scene) -> list[tuple[str, str, str]]:
    told = [e.document for e in scene.journal.events() if e.kind == "signal"]
    listings = ("new_listing", "delisting")
    return [(d["change"], d["kind"], d["symbols"][0]) for d in told if d["kind"] in listings]


async def test_a_listing_and_a_delisting_are_told_and_shown(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path, autonomy="propose")
    async with open_scene(tmp_path, settings=settings) as scene:
        scene.faults.by_call["instruments"] = without(NEAR)
        first = await scene.cycle()
        assert news(scene) == []
        del scene.faults.by_call["instruments"]
        scene.advance(1.1)
        second = await scene.cycle()
        assert news(scene) == [("raised", "new_listing", NEAR)]
        assert first.signals == ()
        (signal,) = [s for s in second.signals if s.kind == "new_listing"]
        assert (signal.symbols, signal.severity) == ((NEAR,), "note")
        scene.faults.by_call["instruments"] = without(NEAR)
        scene.advance(1.1)
        third = await scene.cycle()
        assert news(scene)[1:] == [
            ("cleared", "new_listing", NEAR),
            ("raised", "delisting", NEAR),
        ]
        assert {s.kind for s in third.signals} >= {"delisting"}
        scene.advance(7 * 24)
        assert not [s for s in (await scene.cycle()).signals if s.kind == "delisting"]
        assert news(scene)[-1] == ("cleared", "delisting", NEAR)


async def test_what_is_held_and_no_longer_listed_holds_the_cycle(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.cycle()
        scene.faults.by_call["instruments"] = without(TAO)
        scene.advance(1.1)
        record = await scene.cycle()
        assert "no such active perpetual" in record.reason
        assert TAO in record.reason
