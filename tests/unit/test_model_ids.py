"""Identifiers: fresh in every process, of their own alphabet."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from supervisor.model import new_id


@given(st.integers(1, 64))
def test_as_long_as_asked_for(length: int) -> None:
    prefix, _, text = new_id("t", length).partition("-")
    assert prefix == "t"
    assert len(text) == length
    assert set(text) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_none_comes_twice() -> None:
    drawn = [new_id("c") for _ in range(5000)]
    assert len(set(drawn)) == len(drawn)


def test_a_forked_process_draws_its_own() -> None:
    new_id("c")  # some are drawn ahead now
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, "\n".join(new_id("c") for _ in range(50)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        theirs = set(file.read().split())
    os.waitpid(child, 0)
    assert len(theirs) == 50
    assert not theirs & {new_id("c") for _ in range(500)}
