"""`taskpass tasks`, `history` and `revoke` beside a running task."""

from __future__ import annotations

from tests.support.live import Install, wait_for


def test_a_task_is_listed_told_of_and_revoked_by_its_number(install: Install) -> None:
    task = install.popen("run", "--headless", "--purpose", "wait a while", "--", "sleep", "300")
    listed = wait_for(lambda: _line(install, "wait a while"), "the task to be listed")
    assert listed.split()[:2] == ["1", "working"]
    assert "sleep (generic)" in listed
    assert "tier A " in listed
    told = install.cli("history", "1").stdout.splitlines()
    assert "task.started" in told[0]
    every = install.cli("history").stdout.splitlines()
    assert len(every) > len(told), "the history of one task is not that of all"
    revoked = install.cli("revoke", "1")
    assert revoked.stdout.startswith("revoked: 1 task, 0 leases dead"), revoked.stderr
    assert task.wait(30) != 0
    assert "Nothing is recorded of task t-unknown." in install.cli("history", "t-unknown").stdout


def _line(install: Install, purpose: str) -> str:
    lines = install.cli("tasks").stdout.splitlines()
    return next((line for line in lines if purpose in line and "working" in line), "")
