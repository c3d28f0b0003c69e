"""Revoking a contained task ends all there is of it, at once, whatever its processes do."""

from __future__ import annotations

import subprocess

import pytest

from tests.support import crowd
from tests.support.somebody import Somebody

_AT_ONCE = 0.1  # seconds from the key
_ROUNDS = 3  # the best counts: the machine may be busy with other tests
# A person's client, connected beforehand as a screen is: says when its key was pressed.
_KEY = """
from tests.bench.revoke import Key
key = Key()
print("ready", flush=True)
input()
print(key.press()[0], flush=True)
"""


def revoked(contained: Somebody) -> float:
    """Seconds from the key until the last process of a crowd was gone."""
    with crowd.Gate(contained.project / crowd.PIPE) as gate:
        task = contained.popen("run", "--headless", "--", "sh", "-c", crowd.SCRIPT)
        gate.all_here()
        with subprocess.Popen(
            [contained.account.python, "-c", _KEY],
            cwd=contained.project,
            env=contained.environ,
            **contained.account.become(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as key:
            assert key.stdin is not None
            assert key.stdout is not None
            assert key.stdout.readline() == "ready\n"
            key.stdin.write("\n")
            key.stdin.flush()
            gone = gate.all_gone()
            pressed = int(key.stdout.readline())
        assert task.wait(30) != 0
    return (gone - pressed) / 1e9


def all_ended(contained: Somebody, rounds: int) -> list[float]:
    """Seconds that each round took."""
    contained.own("mkfifo", crowd.PIPE)
    assert contained.taskpass("ps").returncode == 0
    took = [revoked(contained) for _ in range(rounds)]
    killed = contained.records("task.killed")
    assert [record["processes_left"] for record in killed] == [0] * rounds
    return took


def test_revoking_ends_every_process_of_a_task(contained: Somebody) -> None:
    assert len(all_ended(contained, 1)) == 1


@pytest.mark.full
def test_revoking_ends_every_process_of_a_task_within_100_ms(contained: Somebody) -> None:
    took = all_ended(contained, _ROUNDS)
    assert min(took) < _AT_ONCE, took
