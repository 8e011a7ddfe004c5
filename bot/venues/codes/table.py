"""The form of a table of codes, and how a code is found in a reply."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from importlib.resources import files
from typing import Any

Finder = Callable[[Mapping[str, Any]], tuple[str, str]]
"""From a reply's document to the exchange's code and words, both empty where there is no code."""


class Meaning(Enum):
    """What a code says about the order."""

    REJECTED = auto()  # surely not taken
    NOT_ACCEPTED = auto()  # surely not taken, and the venue wants fewer or later requests
    EXISTS = auto()  # an order with this client id is there already
    ABSENT = auto()  # to a question: the venue has no such order
    OVER = auto()  # to a cancel: nothing of it is open any more


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One exchange's codes.

    A code is listed as a rejection only where it says beyond doubt that no order was taken. What
    is not listed is unknown: the order may be live or filled, and reconciliation has to find out.

    Attributes:
        venue: ccxt's exchange id.
        found_in: where in a reply the code stands, in words.
        find: takes it from there.
        rejected, not_accepted, exists, absent, over: by code, what it says.
        left_unknown: codes that look like refusals and are none, by code, with the reason.
    """

    venue: str
    found_in: str
    find: Finder
    rejected: Mapping[str, str]
    not_accepted: Mapping[str, str]
    exists: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[str, str] = field(default_factory=dict)
    left_unknown: Mapping[str, str] = field(default_factory=dict)

    def meanings(self) -> dict[str, Meaning]:
        """What each listed code says."""
        groups = (
            (Meaning.REJECTED, self.rejected),
            (Meaning.NOT_ACCEPTED, self.not_accepted),
            (Meaning.EXISTS, self.exists),
            (Meaning.ABSENT, self.absent),
            (Meaning.OVER, self.over),
        )
        return {code: meaning for meaning, codes in groups for code in codes}


def read_table(venue: str, find: Finder) -> CodeTable:
    """The exchange's table, from the file of its name beside this one."""
    text = (files(__package__) / f"{venue}.toml").read_text(encoding="utf-8")
    return CodeTable(venue=venue, find=find, **tomllib.loads(text))


def fields(code_name: str, text_name: str) -> Finder:
    """A finder for replies that carry code and words side by side."""

    def find(document: Mapping[str, Any]) -> tuple[str, str]:
        code = document.get(code_name)
        if isinstance(code, bool) or not isinstance(code, int | str):
            return "", ""
        return str(code), clean_text(str(document.get(text_name) or ""))

    return find


def clean_text(text: str, longest: int = 160) -> str:
    """A venue's words in one short line; addresses and long secrets are blotted out."""
    line = re.sub(r"\s+", " ", text).strip()
    line = re.sub(r"\b\w+://\S+", "…", line)
    line = re.sub(r"\b\d{1,3}(\.\d{1,3}){3}\b", "…", line)
    line = re.sub(r"[A-Za-z0-9+/_-]{32,}={0,2}", "…", line)
    return line if len(line) <= longest else line[: longest - 1] + "…"
