"""A quick dataclass is the dataclass that it was, but for the time that it takes to make one."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from risk.quick_init import quick_init, quick_replace


@dataclass(frozen=True, slots=True)
class Plain:
    """As it comes."""

    name: str
    prices: dict[str, float] = field(default_factory=dict)
    side: str = "BOTH"
    width: int = field(init=False)
    made_of: list[str] = field(init=False, default_factory=list)
    kind: str = field(init=False, default="plain")

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")
        object.__setattr__(self, "width", len(self.name))


@quick_init
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, made quickly."""

    name: str
    prices: dict[str, float] = field(default_factory=dict)
    side: str = "BOTH"
    width: int = field(init=False)
    made_of: list[str] = field(init=False, default_factory=list)
    kind: str = field(init=False, default="plain")

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")
        object.__setattr__(self, "width", len(self.name))


GIVEN: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
    (("a",), {}),
    (("ab", {"x": 1.0}), {}),
    (("abc", {"x": 1.0}, "LONG"), {}),
    ((), {"side": "SHORT", "name": "abcd", "prices": {}}),
    (("", {}), {}),
    ((), {}),
    (("a",), {"width": 3}),
    (("a", {}, "LONG", 1), {}),
)


@pytest.mark.parametrize(("arguments", "named"), GIVEN)
def test_it_takes_what_the_plain_one_takes(
    arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    try:
        plain = Plain(*arguments, **named)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            Quick(*arguments, **named)
        return
    quick = Quick(*arguments, **named)
    for one in fields(Plain):
        assert getattr(quick, one.name) == getattr(plain, one.name)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")


def test_what_is_made_anew_for_each_is_not_shared() -> None:
    first, second = Quick("a"), Quick("a")
    first.prices["x"] = 1.0
    first.made_of.append("y")
    assert second.prices == {}
    assert second.made_of == []


def test_it_is_as_frozen_as_before() -> None:
    quick = Quick("a")
    with pytest.raises(FrozenInstanceError):
        quick.name = "b"  # type: ignore[misc]
    assert quick == Quick("a")
    assert quick != Quick("b")


def test_copies_and_changes_go_through_it() -> None:
    quick = Quick("a", {"x": 1.0}, "LONG")
    assert replace(quick, name="bcd").width == 3
    assert copy.copy(quick) == quick
    assert pickle.loads(pickle.dumps(quick)) == quick  # noqa: S301 - its own words
    names = list(inspect.signature(Quick.__init__).parameters)
    assert names == list(inspect.signature(Plain.__init__).parameters)


def test_a_class_that_it_would_not_do_right_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Loose\.a"):

        @quick_init
        @dataclass(frozen=True)
        class Loose:
            a: int

    with pytest.raises(TypeError, match=r"Named\.a"):

        @quick_init
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Named:
            a: int


@quick_init
@dataclass(frozen=True, slots=True)
class Alone:
    """One field."""

    a: int


@pytest.mark.parametrize("one", [Quick("a", {"x": 1.0}), Plain("a"), Alone(1)])
def test_a_quick_replace_is_a_replace(one: Any) -> None:
    assert quick_replace(one) == replace(one)
    name = fields(one)[0].name
    assert quick_replace(one, **{name: "bcd"}) == replace(one, **{name: "bcd"})
    with pytest.raises(TypeError, match="nothing"):
        quick_replace(one, nothing=1)


@quick_init
@dataclass(frozen=True, slots=True)
class Simple:
    """Nothing comes after it is made."""

    name: str
    prices: dict[str, float] = field(default_factory=dict)
    side: str = "BOTH"


@pytest.mark.parametrize("changes", [{}, {"side": "LONG"}, {"name": "b", "prices": {"x": 1.0}}])
def test_a_simple_one_is_replaced_as_the_plain_way_does(changes: dict[str, Any]) -> None:
    one = Simple("a", {"y": 2.0})
    before = copy.deepcopy(one)
    made = quick_replace(one, **changes)
    assert made == replace(one, **changes)
    assert one == before
    with pytest.raises(FrozenInstanceError):
        made.name = "c"  # type: ignore[misc]  # which is what is tried
    with pytest.raises(TypeError, match="nothing"):
        quick_replace(one, nothing=1)  # type: ignore[call-arg]  # the same
