"""Waiting for somebody's answer, for so long and no longer."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.calls.patience import within


async def test_an_answer_given_at_once() -> None:
    async def work() -> int:
        return 7

    assert await within(0.0, work()) == 7


async def test_an_answer_in_time_and_what_it_waited_for() -> None:
    heard: list[int] = []

    async def work() -> str:
        heard.extend([await asyncio.sleep(0.001, piece) for piece in range(3)])
        return "done"

    assert await within(60, work()) == "done"
    assert heard == [0, 1, 2]


async def test_its_own_errors_come_through() -> None:
    async def at_once() -> None:
        raise KeyError("now")

    async def later() -> None:
        await asyncio.sleep(0)
        raise KeyError("later")

    for work in (at_once(), later()):
        with pytest.raises(KeyError):
            await within(60, work)


async def test_past_its_time_it_is_cancelled() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await within(0.01, work())
    assert ended.is_set()


async def test_who_gives_up_waiting_takes_the_work_along() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(within(60, work()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
