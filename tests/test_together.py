"""What runs at the same time ends together."""

import ast
import asyncio
from pathlib import Path

import pytest

from bot.together import together

ROOT = Path(__file__).resolve().parents[1]
LOOKS_AFTER_THEM_ITSELF = {"bot/together.py", "bot/trading/cancels.py"}


async def test_answers_keep_their_order():
    async def one(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await together(one(turns) for turns in (5, 1, 3)) == [5, 1, 3]
    assert await together(one(turns) for turns in ()) == []


class Slow:
    """Never ends by itself, and takes some turns to end when it is told to."""

    def __init__(self) -> None:
        self.ended = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            self.ended = True


async def _fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("the first")


async def test_the_first_failure_is_told_once_the_others_have_ended():
    slow = [Slow(), Slow()]
    with pytest.raises(LookupError, match="the first"):
        await together([slow[0].run(), _fail(), slow[1].run()])
    assert [one.ended for one in slow] == [True, True]


async def test_what_is_given_up_has_ended():
    slow = [Slow(), Slow()]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await together(one.run() for one in slow)
    assert [one.ended for one in slow] == [True, True]


async def test_a_second_failure_hides_nothing():
    async def fail_while_ending() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("the second")

    with pytest.raises(LookupError, match="the first"):
        await together([fail_while_ending(), _fail()])


def _gathers(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("asyncio.gather", "gather")
        and not any(one.arg == "return_exceptions" for one in node.keywords)
    )


def test_nothing_else_gathers_what_would_run_on() -> None:
    """``asyncio.gather`` tells the first failure and lets the others go on."""
    found = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "bot").rglob("*.py")
        if any(_gathers(node) for node in ast.walk(ast.parse(file.read_text())))
    }
    assert found == LOOKS_AFTER_THEM_ITSELF
