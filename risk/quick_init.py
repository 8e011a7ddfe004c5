"""Frozen dataclasses that are made by the thousand a second.

A frozen dataclass sets each of its fields through ``object.__setattr__``, which takes Python three
times as long as setting the slot itself: a third of a microsecond a field, and a cycle makes
thousands of fields. The class stays as frozen as it was.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["quick_init", "quick_replace"]

T = TypeVar("T")

_NOT_GIVEN = object()


def quick_init(cls: type[T]) -> type[T]:
    """The same dataclass, with an ``__init__`` that sets its slots directly.

    To be written above ``@dataclass(frozen=True, slots=True)``.

    Raises:
        TypeError: a field has no slot, or may be given by its name only.
    """
    known: dict[str, Any] = {"_NOT_GIVEN": _NOT_GIVEN}
    arguments, lines = ["self"], []
    for field in fields(cls):  # type: ignore[arg-type]  # a dataclass by now, which cannot be said
        name = field.name
        if name not in getattr(cls, "__slots__", ()) or field.kw_only:
            raise TypeError(f"{cls.__name__}.{name}: must have a slot, and a place among arguments")
        known[f"_set_{name}"] = getattr(cls, name).__set__
        value = name
        if field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}()"
            if field.init:
                arguments.append(f"{name}=_NOT_GIVEN")
                value = f"{value} if {name} is _NOT_GIVEN else {name}"
        elif field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            if field.init:
                arguments.append(f"{name}=_default_{name}")
            else:
                value = f"_default_{name}"
        elif field.init:
            arguments.append(name)
        else:
            continue  # what comes after sets it
        lines.append(f"_set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n    ".join(lines)
    exec(f"def __init__({', '.join(arguments)}):\n    {body}", known)  # noqa: S102 - of names of fields alone
    made, before = known["__init__"], cls.__init__
    made.__annotations__, made.__qualname__ = before.__annotations__, before.__qualname__
    cls.__init__ = made  # type: ignore[method-assign]  # which is all that changes
    return cls


if TYPE_CHECKING:
    from dataclasses import replace as quick_replace
else:

    def quick_replace(record: T, /, **changes: Any) -> T:
        """As ``dataclasses.replace``, which reads the fields one by one.

        Raises:
            TypeError: no such field among the arguments.
        """
        cls: type[Any] = type(record)
        copied, setters = _copier(cls)
        if copied is None:
            names, values_of = _arguments(cls)
            return cls(**(dict(zip(names, values_of(record), strict=True)) | changes))
        made = copied(record)
        for name, value in changes.items():
            if name not in setters:
                raise TypeError(f"{cls.__name__}: has no field {name}")
            setters[name](made, value)
        return made


@cache
def _arguments(cls: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(field.name for field in fields(cls) if field.init)
    if len(names) > 1:
        return names, attrgetter(*names)
    return names, lambda record: tuple(getattr(record, name) for name in names)


_Setters = dict[str, Callable[[Any, Any], None]]


@cache
def _copier(cls: type[Any]) -> tuple[Callable[[Any], Any] | None, _Setters]:
    """What makes another one with the same values, and what changes a field of that.

    None where there is more to one than its fields, each of which is given and has a slot.
    """
    slots, setters = getattr(cls, "__slots__", ()), _Setters()
    for field in fields(cls):
        if not field.init or field.name not in slots:
            return None, setters
        setters[field.name] = getattr(cls, field.name).__set__
    if getattr(cls, "__post_init__", None) is not None:
        return None, setters
    known: dict[str, Any] = {"_new": object.__new__, "_cls": cls}
    known |= {f"_set_{name}": set_ for name, set_ in setters.items()}
    lines = [f"_set_{name}(made, record.{name})" for name in setters]
    body = "\n    ".join(["made = _new(_cls)", *lines, "return made"])
    exec(f"def copied(record):\n    {body}", known)  # noqa: S102 - of names of fields alone
    return known["copied"], setters
