"""Listings through the engine: the venue's list changes between two cycles."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from risk.instrument import Instrument
from tests.cycle_scene import NEAR, TAO, WLD, Scene, open_scene, paper_settings

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


async def test_what_changed_while_the_engine_was_down_is_told(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path, autonomy="propose")
    async with open_scene(tmp_path, settings=settings) as scene:
        scene.faults.by_call["instruments"] = without(WLD)
        scene.hold({TAO: "25"})
        await scene.cycle()
        clock = scene.clock
    clock.advance_to(clock.now_ms() + 5 * 3_600_000)
    async with open_scene(tmp_path, settings=settings, clock=clock) as scene:
        scene.faults.by_call["instruments"] = without(NEAR)
        scene.hold({TAO: "25"})
        record = await scene.cycle()
        told = [("raised", "new_listing", WLD), ("raised", "delisting", NEAR)]
        assert sorted(news(scene)) == sorted(told)
        since = {s.since for s in record.signals if s.kind == "delisting"}
        clock.advance_to(clock.now_ms() + 3_600_000)
    async with open_scene(tmp_path, settings=settings, clock=clock) as scene:
        scene.faults.by_call["instruments"] = without(NEAR)
        scene.hold({TAO: "25"})
        record = await scene.cycle()
        assert sorted(news(scene)) == sorted(told), "once, not at every start"
        again = [s for s in record.signals if s.kind == "delisting"]
        assert {s.since for s in again} == since


async def test_a_look_remembers_nothing_and_an_unreadable_memory_is_told(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path, autonomy="propose")
    key = f"listing:{settings.venue.exchange}"
    async with open_scene(tmp_path, settings=settings) as scene:
        look = await scene.engine.look()
        assert look.signals_unknown["listings"] == "no earlier list of markets to compare with"
        assert scene.journal.meta(key) is None
        scene.journal.set_meta(key, '{"listed": 3}')
        clock = scene.clock
    async with open_scene(tmp_path, settings=settings, clock=clock) as scene:
        # The first list is compared with nothing, as ever.
        look = await scene.engine.look()
        assert "the remembered list of markets cannot be read" in look.signals_unknown["listings"]
        assert "listings" in (await scene.engine.look()).signals_unknown, "no time has gone by"
        scene.advance(0.01)
        assert "listings" not in (await scene.engine.look()).signals_unknown


async def test_what_is_held_and_no_longer_listed_holds_the_cycle(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.cycle()
        scene.faults.by_call["instruments"] = without(TAO)
        scene.advance(1.1)
        record = await scene.cycle()
        assert "no such active perpetual" in record.reason
        assert TAO in record.reason
