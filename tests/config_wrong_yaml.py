"""Files that are no plain YAML, and the line that refuses each."""

from tests.config_words import GOOD

WRONG_YAML = {
    # YAML
    "empty": ("", "empty — a mapping of keys is needed"),
    "only a comment": ("# nothing\n", "empty — a mapping of keys is needed"),
    "a list": ("- mode: paper\n", "a list — a mapping of keys is needed"),
    "a word": ("paper", "a single value — a mapping of keys is needed"),
    "tab": ("venue:\n\texchange: okx\n", "line 2, column 1: a tab — indent with spaces"),
    "open bracket": (
        "sources: [1, 2\n",
        "line 2, column 1: expected ',' or ']', but got '<stream end>'",
    ),
    "colon without a space": (
        "mode: paper\nstate_dir./state\n",
        "line 3, column 1: could not find expected ':'",
    ),
    "key twice": (GOOD + "mode: live\n", "line 5, column 1: mode is given twice, first in line 1"),
    "nested key twice": (
        GOOD + "caps: {net_usd: 20000, net_usd: 99999}",
        "line 5, column 24: net_usd is given twice, first in line 5",
    ),
    "number as a key": (
        GOOD + "7: lucky",
        "line 5, column 1: a key must be text, in quotes where it looks like more",
    ),
    "list as a key": (
        GOOD + "[a]: b",
        "line 5, column 1: a key must be text, in quotes where it looks like more",
    ),
    "anchor": (
        GOOD + "caps: &c {}",
        "line 5, column 7: anchors and aliases (& and *) are not supported",
    ),
    "alias": (
        GOOD + "caps: *c",
        "line 5, column 7: anchors and aliases (& and *) are not supported",
    ),
    "tag": (
        GOOD + "caps: !!python/object/apply:os.system [ls]",
        "line 5, column 7: tags (!) are not supported",
    ),
    "second document": (
        GOOD + "---\nmode: live",
        "line 5, column 1: expected a single document in the stream, but found another document",
    ),
    "deep nesting": (
        GOOD + "caps: " + "[" * 5000,
        "line 5, column 26: nested deeper than 20 levels",
    ),
    "control character": (
        GOOD + "log: {level: \x07}",
        "line 5: the character U+0007 is not allowed — save the file as plain UTF-8 text",
    ),
}
