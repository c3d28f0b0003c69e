"""One record on a terminal, and what backs it."""

from __future__ import annotations

import pytest

from supervisor.cli import history_shown
from supervisor.protocol.review import HeadView, ProofView
from supervisor.review.words import local_time

AT = 1_790_000_000.0
HEAD = HeadView(number=3, seq=9, time=AT, signature="5a" * 64)
PROOF = ProofView(
    record={"seq": 7, "time": AT, "kind": "task.ended"},
    standing="verified", message="Checkpoint 3 covers it.", prev="00" * 32,
    head=HEAD, key="SHA256:k",
)  # fmt: skip


def test_all_times_of_a_record_are_said_in_one_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history_shown, "with_client", lambda ask: PROOF)
    assert history_shown.record(7, as_json=False) == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line)
    assert said["time"] == local_time("time", AT)
    assert said["checkpoint"] == f"3, over record 9, {local_time('time', AT)}"
