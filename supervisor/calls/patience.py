"""Waiting for somebody else's answer, for so long and no longer."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


async def within(seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
    """What `work` returns, within so many seconds. An answer given at once costs no timer.

    Raises:
        TimeoutError: it did not come in time; the work was cancelled.
    """
    try:
        first = work.send(None)
    except StopIteration as answer:
        value: _T = answer.value
        return value
    async with asyncio.timeout(seconds):
        return await _go_on(work, first)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, _T], waits_for: Any) -> Generator[Any, Any, _T]:
    """The rest of a coroutine that has begun, as `yield from` would run it."""
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:
            step = partial(work.throw, error)
        else:
            step = partial(work.send, sent)
        try:
            waits_for = step()
        except StopIteration as answer:
            value: _T = answer.value
            return value
