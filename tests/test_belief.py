"""Each symbol is believed for itself, and what is in doubt is never counted as flat."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.agreement import Agreed, Agreement, AgreementRule, Told
from bot.measuring.belief import Quantities, Sightings
from risk.errors import DataError
from tests.execute_scene import FET, NOW_MS, TAO

MARKS = {FET: 2.0, TAO: 400.0}
RULE = AgreementRule(reads=2, change_share=0.2, pause_ms=1000, doubt_usd=25.0, stand_ms=5000)
KEYS = [(name, "BOTH") for name in "ABC"]

quantity = st.integers(-12, 12).map(Decimal)
read = st.dictionaries(st.sampled_from(KEYS), quantity.filter(bool), max_size=3)
beliefs = st.none() | read


def held(fet: str = "0", tao: str = "0") -> Quantities:
    both = {(FET, "BOTH"): Decimal(fet), (TAO, "BOTH"): Decimal(tao)}
    return {key: value for key, value in both.items() if value}


class Teller:
    def __init__(self, journal: Journal, clock: SimulatedClock) -> None:
        self.journal, self.clock = journal, clock
        self.asked: list[Collection[str]] = []
        self.agreement = Agreement("source bot-a", RULE, journal, clock, marks=self.marks)

    async def marks(self, symbols: Collection[str]) -> Mapping[str, float]:
        self.asked.append(symbols)
        return {symbol: MARKS[symbol] for symbol in symbols if symbol in MARKS}

    async def sees(self, *told: Quantities | Told) -> Agreed[Told]:
        left = [one if isinstance(one, Told) else Told(one) for one in told]

        async def read() -> Told:
            return left.pop(0) if len(left) > 1 else left[0]

        return await self.agreement.agreed(read, lambda one: one)


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Teller(journal, clock)


async def test_a_tiny_position_that_flaps_holds_nothing_and_is_not_flat(teller: Teller) -> None:
    await teller.sees(held("10", "5"))
    agreed = await teller.sees(held("10", "5"), held("3", "5"))  # believed: nothing new
    assert agreed.doubtful == {}
    agreed = await teller.sees(held("0", "5"), held("6", "5"), held("10", "5"))
    assert agreed.doubtful == {(FET, "BOTH"): Decimal(10)}, "10 FET at 2 USD are below 25 USD"
    assert teller.asked == [[FET]]
    [event] = teller.journal.events(kind="external_positions")
    assert event.document["doubtful"] == {FET: "10"}
    assert event.document["confirmed"] == {} == event.document["refuted"]
    assert (await teller.sees(held("10", "5"))).doubtful == {}


async def test_a_large_position_that_flaps_holds_every_decision(teller: Teller) -> None:
    await teller.sees(held("10", "5"))
    with pytest.raises(DataError, match=rf"no 2 in a row agree on {TAO}$"):
        await teller.sees(held("10", "9"), held("10", "1"), held("10", "9"), held("10", "2"))
    assert (await teller.sees(held("10", "5"))).doubtful == {}


async def test_small_doubts_hold_together_once_they_come_to_more(teller: Teller) -> None:
    await teller.sees(held("10", "0.02"))
    # 20 USD swing in one and 8 USD in the other: either alone would be small.
    with pytest.raises(DataError, match=f"{FET}, {TAO}"):
        await teller.sees(held(), held("4", "0.01"), held(), held("4", "0.01"))


async def test_what_has_no_price_is_never_small(teller: Teller) -> None:
    few = {("NEW/USDT:USDT", "BOTH"): Decimal("0.001")}
    many = {("NEW/USDT:USDT", "BOTH"): Decimal(1)}
    await teller.sees({})
    with pytest.raises(DataError, match="NEW/USDT:USDT"):
        await teller.sees(few, many, few, many)


async def test_one_symbol_may_be_confirmed_while_another_still_moves(teller: Teller) -> None:
    await teller.sees(held("100", "5"))
    agreed = await teller.sees(held("900", "50"), held("900", "9"), held("900", "9"))
    assert agreed.doubtful == {}
    # Nowhere in these do both symbols change and agree in the same two reads.
    agreed = await teller.sees(held("50", "20"), held("50", "60"), held("50", "60"))
    assert agreed.read.quantities == held("50", "60")


async def test_a_snapshot_that_is_read_twice_is_no_second_witness(teller: Teller) -> None:
    def file(fet: str, *, written_ms: int, edition: str) -> Told:
        return Told(held(fet), edition, written_ms)

    fresh = file("100", written_ms=NOW_MS, edition="a")
    with pytest.raises(DataError, match=r"not written anew; believed once they are, or 5 s after"):
        await teller.sees(fresh)
    assert teller.clock.now_ms() == NOW_MS + 3000
    again = file("100", written_ms=NOW_MS, edition="a, written anew")
    assert (await teller.sees(fresh, again)).read == again
    wrong = file("9000", written_ms=teller.clock.now_ms(), edition="b")
    right = file("100", written_ms=teller.clock.now_ms() + 1, edition="c")
    assert (await teller.sees(wrong, wrong, right)).read == right
    assert (await teller.sees(right)).read == right
    stood = file("9000", written_ms=teller.clock.now_ms() - 4_000, edition="d")
    before_ms = teller.clock.now_ms()
    assert (await teller.sees(stood)).read == stood
    assert teller.clock.now_ms() == before_ms + 1000, "it stands for five seconds by then"


def together(believed: Quantities | None, told: Sequence[Quantities], reads: int) -> Sightings:
    seen = Sightings(believed, reads=reads, share=0.2)
    for one in told:
        seen.add(one)
    return seen


@given(believed=beliefs, told=st.lists(read, min_size=1, max_size=5), reads=st.integers(1, 3))
def test_every_symbol_is_believed_as_if_it_were_the_only_one(
    believed: Quantities | None, told: list[Quantities], reads: int
) -> None:
    def only(key: tuple[str, str], one: Quantities) -> Quantities:
        return {key: one[key]} if key in one else {}

    seen, alone = together(believed, told, reads), {}
    unsettled = []
    for key in KEYS:
        one = together(
            None if believed is None else only(key, believed), [only(key, t) for t in told], reads
        )
        alone |= one.belief()
        unsettled += one.unsettled
    assert seen.belief() == alone
    assert seen.unsettled == unsettled


@given(believed=beliefs, told=st.lists(read, min_size=1, max_size=5), reads=st.integers(2, 3))
def test_what_is_settled_was_told_again_and_what_is_not_counts_in_full(
    believed: Quantities | None, told: list[Quantities], reads: int
) -> None:
    seen = together(believed, told, reads)
    for key in KEYS:
        values = [one.get(key, Decimal(0)) for one in told]
        before = Decimal(0) if believed is None else believed.get(key, Decimal(0))
        if key in seen.unsettled:
            assert abs(seen.belief()[key]) == max(map(abs, [before, *values]))
            assert seen.swing(key) >= abs(values[-1] - before)
        elif believed is not None and any(values) and values[-1] != before:
            near = [
                abs(v - values[-1]) <= Decimal("0.2") * max(abs(v), abs(values[-1]))
                for v in [before, *values[:-1]]
            ]
            assert any(near), "told once only, and believed all the same"
