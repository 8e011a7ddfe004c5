"""Reads one YAML file as a plain mapping, strictly.

A smaller language than YAML 1.1, so that nothing means what its writer did not mean: ``yes`` and
``off`` are text, ``010`` and ``1:30`` are no numbers, a key is given once, and there are no tags,
anchors, merge keys or second documents. ``1e5`` is a number, as in YAML 1.2.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.errors import ConfigError
from config.show import key_name, printable

MAX_BYTES = 256 * 1024
_MAX_DEPTH = 20
_LONGEST_EXACT_INT = 30


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping of keys to values.

    Raises:
        ConfigError: there is no such file, it cannot be read, or it is not one YAML mapping; one
            line that names the file and, where there is one, line and column.
    """
    where = printable(str(path))
    return parse_yaml(_read_text(path, where), where)


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """The mapping in ``text``; ``where`` names the file in errors.

    Raises:
        ConfigError: it is not one YAML mapping.
    """
    try:
        # The reader checks all characters when it is made.
        loader = _StrictLoader(text)
        try:
            document = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{where}: {_position(error)}{_reason(error)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{where}: line {line}: the character U+{error.character:04X} is not allowed — "
            "save the file as plain UTF-8 text"
        ) from None
    if document is None:
        raise ConfigError(f"{where}: empty — a mapping of keys is needed")
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise ConfigError(f"{where}: {kind} — a mapping of keys is needed")
    return document


def _read_text(path: Path, where: str) -> str:
    try:
        if path.is_dir():
            raise ConfigError(f"{where}: a folder — a YAML file is needed")
        if path.exists() and not path.is_file():
            raise ConfigError(f"{where}: not a regular file — a YAML file is needed")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError(f"{where}: not the name of a file") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{where}: larger than {MAX_BYTES // 1024} KiB — too large for settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}: line {line}: not UTF-8 — save the file as UTF-8") from None


def _position(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _reason(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error.context).split())
    if problem.startswith("but ") and error.context:
        problem = f"{error.context}, {problem}"
    if "'\\t'" in problem:
        return "a tab — indent with spaces"
    # Only the parser's own words: its excerpt of the file might show what should stay private.
    return printable(problem)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader without the parts of YAML that surprise."""

    # Filled below; without it the class would share, and change, SafeLoader's table.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's name)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it open
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused("anchors and aliases (& and *) are not supported", event)
        if getattr(event, "tag", None) is not None:
            raise _Refused("tags (!) are not supported", event)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Refused(f"nested deeper than {_MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002  (PyYAML's signature)
        mapping: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _Refused("a key must be text, in quotes where it looks like more", key_node)
            if key in mapping:
                raise _Refused(
                    f"{key_name(key)} is given twice, first in line {first_line[key]}", key_node
                )
            mapping[key] = self.construct_object(value_node, deep=True)
            first_line[key] = key_node.start_mark.line + 1
        return mapping

    def exact_int(self, node: ScalarNode) -> int | float:
        # Longer ones are out of every range, and int() refuses some of them.
        text = node.value
        return int(text) if len(text) <= _LONGEST_EXACT_INT else float(text)

    def sequence(self, node: SequenceNode) -> list[Any]:
        return [self.construct_object(item, deep=True) for item in node.value]

    def number(self, node: ScalarNode) -> float:
        return float(node.value.replace(".inf", "inf").replace(".nan", "nan"))


class _Refused(yaml.MarkedYAMLError):
    """Something that YAML allows and these files do not."""

    def __init__(self, problem: str, at: Any) -> None:
        super().__init__(problem=problem, problem_mark=at.start_mark)


_PLAIN = (
    ("tag:yaml.org,2002:null", r"(?:~|null|)", ["~", "n", ""]),
    ("tag:yaml.org,2002:bool", r"(?:true|false)", list("tf")),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.inf)|\.nan",
        list("-+.0123456789"),
    ),
)
for _tag, _pattern, _first in _PLAIN:
    _StrictLoader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.exact_int)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _StrictLoader.number)
_StrictLoader.add_constructor("tag:yaml.org,2002:map", _StrictLoader.construct_mapping)
_StrictLoader.add_constructor("tag:yaml.org,2002:seq", _StrictLoader.sequence)
