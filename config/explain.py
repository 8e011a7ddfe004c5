"""Turns what the models refuse into lines that name a field, its value, and what is allowed."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from config.allowed import Target, allowed, known_values, literal_values, notes, resolve
from config.show import value_text

_SECRET = re.compile(
    r"((api|secret|private|access)[_-]?)?(key|secret|passphrase|password)"
    r"|(api|access|auth)[_-]?token|uid|wallet[_-]?address",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: the field, such as ``sources[0].path``; empty for the file as a whole.
        value: what stands there, fit to be shown.
        allowed: what would be right.
    """

    path: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.value} — {self.allowed}"


def line(where: str, problems: Sequence[Problem]) -> str:
    """The one line for ``problems``: the first, and how many more there are."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {problems[0]}{more}"


def explain(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """All problems, unknown keys first: a mistyped key is why another one seems missing."""
    details = error.errors(include_url=False)
    ranked = sorted(details, key=lambda detail: detail["type"] != "extra_forbidden")
    return [_problem(detail, model) for detail in ranked]


def _problem(detail: Any, model: type[BaseModel]) -> Problem:
    path, target, owner = resolve(model, detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path, str(detail["loc"][-1]), owner, model)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_kind(path, target, detail)
    if kind == "missing":
        return Problem(path, "missing", allowed(target))
    value = value_text(detail["input"])
    if any(note.private for note in notes(target)):
        value = "(not shown)"
    if kind == "rule":
        return Problem(path, value, str(detail["ctx"]["allowed"]))
    return Problem(path, value, _with_hint(detail["input"], target))


def _with_hint(value: object, target: Target) -> str:
    """What is allowed, led by the reason why a value that looks right is not."""
    if isinstance(value, str):
        if value in (later := [v for note in notes(target) for v in note.later]):
            return f"not available in this version; available: {_bare(target)}"
        values = [*literal_values(target), *later]
        close = (
            difflib.get_close_matches(value.lower(), values, n=1)
            if len(literal_values(target)) > 1
            else []
        )
        if close and close[0] not in later:
            return f"{allowed(target)}; did you mean {close[0]}?"
    return allowed(target)


def _bare(target: Target) -> str:
    return ", ".join(literal_values(target))


def _wrong_kind(path: str, target: Target, detail: Any) -> Problem:
    kinds = ", ".join(known_values(target, "kind"))
    if detail["type"] == "union_tag_not_found":
        return Problem(f"{path}.kind", "missing", f"one of: {kinds}")
    value = detail["input"].get("kind") if isinstance(detail["input"], dict) else None
    later = [v for note in notes(target) for v in note.later]
    if isinstance(value, str) and value in later:
        text = f"not available in this version; available: {kinds}"
    else:
        text = f"one of: {kinds}"
    return Problem(f"{path}.kind", value_text(value), text)


_REPLACED = {
    "venue.shared_account": "replaced by venue.ownership: sub_account for false, shared (or "
    "hedge_mode) for true",
}
"""Keys of earlier versions, by what has taken their place."""


def _unknown_key(path: str, key: str, owner: Any, root: type[BaseModel]) -> Problem:
    """Its value is not shown: what stands under a key that nobody knows may be anything."""
    if _SECRET.fullmatch(key):
        return Problem(
            path,
            "(not shown)",
            "secrets do not belong in this file: set PERPHEDGE_API_KEY and PERPHEDGE_API_SECRET, "
            "or name api_key_file and api_secret_file, or keyring_service",
        )
    if path in _REPLACED:
        return Problem(path, "unknown key", _REPLACED[path])
    known = list(owner.model_fields) if owner is not None else []
    close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.7)
    if close:
        return Problem(path, "unknown key", f"did you mean {close[0]}?")
    elsewhere = [f"{section}.{key}" for section, name in _all_keys(root) if name == key]
    if elsewhere:
        return Problem(path, "unknown key here", f"did you mean {elsewhere[0].lstrip('.')}?")
    return Problem(path, "unknown key", f"known here: {', '.join(known)}")


def _all_keys(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield section, name
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _all_keys(annotation, f"{section}.{name}".lstrip("."))
