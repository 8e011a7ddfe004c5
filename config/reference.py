"""Writes docs/config.md from the models: ``python -m config.reference > docs/config.md``."""

import inspect
import sys
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.allowed import allowed, field_target, list_entry, literal_values, union_members
from config.settings import Settings
from config.show import value_text

_INTRODUCTION = """\
# Configuration

<!-- Made from the models: python -m config.reference > docs/config.md -->

One YAML file, given with `-c FILE`. `config/profiles/` has three to start from: `demo.yaml`,
`paper.yaml` and `live.yaml`.

- A key that is not listed here is refused, as is a value outside its range; `perphedge check -c
  FILE` says so in one line that names the field, its value and what is allowed (exit code 2).
- Money is in USD. A fraction is written as a fraction: 0.05 means 5 %.
- Relative paths count from the folder of the file. In the profiles that come with perphedge they
  count from the current folder.
- The file is plain YAML: `true` and `false` only, no tags, no anchors, no key twice.
- Keys of exchanges are never written here. They come from environment variables
  (`PERPHEDGE_API_KEY`, `PERPHEDGE_API_SECRET`, for some exchanges `PERPHEDGE_API_PASSPHRASE`),
  from files that their owner alone may read, or from the keyring, in this order. A source of kind
  `account` has variables of its own, with its name in them: `PERPHEDGE_BOT_API_KEY` for the source
  `bot`. On paradex the key is the wallet's address and the secret its private key.
- No other setting is taken from the environment.
"""


def reference() -> str:
    """The whole document."""
    parts = [_INTRODUCTION, "## Top level\n", _table(Settings)]
    for name, field in Settings.model_fields.items():
        if union_members(field_target(field)):
            parts += _kinds(name, field)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts += [f"## {name}\n", _words(field.annotation), _table(field.annotation)]
            parts += _entries(name, field.annotation)
    return "\n".join(parts)


def _entries(section: str, model: type[BaseModel]) -> Iterator[str]:
    """Tables of lists of mappings within a section."""
    for name, field in model.model_fields.items():
        entry = list_entry(field_target(field))
        if entry is not None:
            yield f"### Each of {section}.{name}\n"
            yield _words(entry)
            yield _table(entry)


def _kinds(name: str, field: FieldInfo) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{field.description} A list; each entry has a `kind`.\n"
    for member in union_members(field_target(field)):
        kind = literal_values(field_target(member.model_fields["kind"]))[0]
        yield f"### kind: {kind}\n"
        yield _words(member)
        yield _table(member)


def _words(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").strip().replace("``", "`") + "\n"


def _table(model: type[BaseModel]) -> str:
    rows = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
    required_first = sorted(model.model_fields.items(), key=lambda item: not item[1].is_required())
    rows += [_row(name, field) for name, field in required_first]
    return "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    target = field_target(field)
    section = isinstance(target.kind, type) and issubclass(target.kind, BaseModel)
    permitted = f"see [{name}](#{name})" if section or union_members(target) else allowed(target)
    meaning = field.description or ""
    if section and not meaning:
        meaning = _words(target.kind).partition("\n\n")[0].replace("\n", " ").strip()
    return f"| `{name}` | {permitted} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if isinstance(default, BaseModel):
        return "the defaults"
    if isinstance(default, tuple):
        return f"`[{', '.join(default)}]`"
    return f"`{value_text(default)}`".replace('"', "")


if __name__ == "__main__":
    sys.stdout.write(reference())
