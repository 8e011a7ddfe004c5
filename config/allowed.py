"""What a field allows, in words, made from its type, its bounds and its notes."""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.fields import Note, duration_text
from config.show import key_name, plain_number


@dataclass(frozen=True, slots=True)
class Target:
    """A place in the configuration: its type without wrappers, and all that is said of it.

    Attributes:
        kind: the type, ``None`` where the place is not known.
        nullable: null is allowed.
        facts: bounds and notes.
    """

    kind: Any
    nullable: bool = False
    facts: tuple[Any, ...] = ()


def field_target(field: FieldInfo) -> Target:
    """The place that a model's field describes."""
    return _unwrap(field.annotation, tuple(field.metadata))


def resolve(
    model: type[BaseModel], location: Sequence[str | int]
) -> tuple[str, Target, type[BaseModel] | None]:
    """Readable path, place, and owning model of a location that pydantic reports."""
    path, target, owner = "", Target(model), None
    container = target
    for part in location:
        if part == "[key]" and get_origin(container.kind) is dict:
            target = _unwrap(get_args(container.kind)[0], ())
            continue
        container = target
        if isinstance(part, int):
            path += f"[{part}]"
            target = (
                _unwrap(get_args(target.kind)[0], ()) if get_args(target.kind) else Target(None)
            )
            continue
        member = _member(target.kind, part)
        if member is not None:  # a discriminated union names the member that it chose
            target = Target(member)
            continue
        path += f".{key_name(part)}" if path else key_name(part)
        owner = target.kind if _is_model(target.kind) else None
        target = _child(target.kind, part)
    return path, target, owner


def notes(target: Target) -> list[Note]:
    """What the types do not say."""
    return [fact for fact in target.facts if isinstance(fact, Note)]


def literal_values(target: Target) -> list[str]:
    """The words that are allowed, where only some are."""
    return [str(v) for v in get_args(target.kind)] if get_origin(target.kind) is Literal else []


def known_values(target: Target, field: str) -> list[str]:
    """The values of a discriminating field over the members of a union."""
    found = []
    for member in get_args(target.kind):
        found += literal_values(field_target(member.model_fields[field]))
    return found


def union_members(target: Target) -> tuple[type[BaseModel], ...]:
    """The models that an entry of a list may be; none where it is not one of several."""
    item = _item(target)
    return tuple(m for m in get_args(item.kind) if _is_model(m))


def list_entry(target: Target) -> type[BaseModel] | None:
    """The model that every entry of a list is; None where there is none."""
    kind: Any = _item(target).kind
    return kind if _is_model(kind) else None


def _item(target: Target) -> Target:
    if get_origin(target.kind) is not tuple:
        return Target(None)
    return _unwrap(get_args(target.kind)[0], ())


def allowed(target: Target) -> str:
    """What may stand at this place."""
    text = next((note.text for note in reversed(notes(target)) if note.text), "") or _by_type(
        target
    )
    if not target.nullable:
        return text
    meaning = next((note.null for note in notes(target) if note.null), "")
    return f"{text}, or null ({meaning})" if meaning else f"{text}, or null"


def _by_type(target: Target) -> str:
    kind = target.kind
    if kind is bool:
        return "true or false"
    if values := literal_values(target):
        return values[0] if len(values) == 1 else f"one of: {', '.join(values)}"
    if kind in (int, float):
        unit = next((f" ({note.unit})" for note in notes(target) if note.unit), "")
        return ("a whole number" if kind is int else "a number") + _range(target.facts) + unit
    if kind is timedelta:
        return "a duration such as 60s, 15m, 4h or 1d," + _range(target.facts)
    if _is_model(kind):
        return f"a mapping with the keys {', '.join(kind.model_fields)}"
    return {str: "text", dict: "a mapping", tuple: "a list"}.get(
        get_origin(kind) or kind, "a value"
    )


def _range(facts: Sequence[Any]) -> str:
    low = high = ""
    for fact in facts:
        if isinstance(fact, annotated_types.Ge):
            low = f" from {_bound(fact.ge)}"
        elif isinstance(fact, annotated_types.Gt):
            low = f" above {_bound(fact.gt)}"
        elif isinstance(fact, annotated_types.Le):
            high = f" to {_bound(fact.le)}"
        elif isinstance(fact, annotated_types.Lt):
            high = f" and below {_bound(fact.lt)}"
    if low.startswith(" above") and high.startswith(" to"):
        high = " and at most" + high.removeprefix(" to")
    return low + high


def _bound(value: Any) -> str:
    return duration_text(value) if isinstance(value, timedelta) else plain_number(value)


def _unwrap(annotation: Any, facts: tuple[Any, ...]) -> Target:
    nullable = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            facts = (*_flat(more), *facts)  # the innermost first
        elif get_origin(annotation) in (Union, types.UnionType):
            members = [a for a in get_args(annotation) if a is not type(None)]
            if len(members) == len(get_args(annotation)):
                return Target(annotation, nullable, facts)
            nullable = True
            annotation = members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007  (members known only now)
        else:
            return Target(annotation, nullable, facts)


def _flat(facts: Sequence[Any]) -> Iterator[Any]:
    for fact in facts:
        if isinstance(fact, FieldInfo):
            yield from fact.metadata
        else:
            yield fact


def _child(kind: Any, part: str) -> Target:
    if _is_model(kind):
        field = kind.model_fields.get(part)
        return field_target(field) if field is not None else Target(None)
    if get_origin(kind) is dict:
        return _unwrap(get_args(kind)[1], ())
    return Target(None)


def _member(kind: Any, tag: str) -> Any:
    for member in get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ():
        field = member.model_fields.get("kind") if _is_model(member) else None
        if field is not None and tag in literal_values(field_target(field)):
            return member
    return None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
