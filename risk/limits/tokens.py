"""Symbols of one token, which a cap on the token counts together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Group = tuple[str, NDArray[np.intp]]
"""What a cap's scope calls a token, and the indices of its symbols."""


def token_groups(symbols: Sequence[str], token: NDArray[np.int64]) -> list[Group]:
    """Each token once, in the order in which they first appear.

    A token is called by its first symbol in the order of the alphabet, which of the same contract
    on two exchanges is the one without an exchange behind it.

    Args:
        symbols: N symbols.
        token: (N,) a number for each token.
    """
    groups: dict[int, list[int]] = {}
    for i, number in enumerate(token.tolist()):
        groups.setdefault(number, []).append(i)
    return [
        (min(symbols[i] for i in members), np.array(members, dtype=np.intp))
        for members in groups.values()
    ]


def shared_tokens(symbols: Sequence[str], token: NDArray[np.int64] | None) -> list[Group]:
    """Those of more than one symbol; none where every symbol is a token of its own (None)."""
    return [] if token is None else [one for one in token_groups(symbols, token) if len(one[1]) > 1]
