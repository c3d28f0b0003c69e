"""Two agents in one workspace: what is put there for one is no change that the other has made."""

from __future__ import annotations

import subprocess

from tests.support.live import TASKPASS, Install, wait_for
from tests.support.scripted_agent import programs, running


def test_what_comes_and_goes_for_another_task_is_no_incident(install: Install) -> None:
    folder = programs(install, "work")
    waits = "touch up; while [ ! -e done ]; do sleep 0.1; done"
    other = subprocess.Popen(
        [*TASKPASS, "run", "--headless", "--", "sh", "-c", waits], cwd=folder, env=install.environ
    )
    wait_for((folder / "up").exists, "the first task")
    with running(install) as agent:  # folders for its work trees are made in .claude, and go again
        agent.run("true")
        (folder / "done").touch()
        assert other.wait(timeout=60) == 0
        wait_for(lambda: install.records("task.ended"), "its end")
        # While the other's are there, and …
        assert not install.records("incident.guarded_changed")
    wait_for(lambda: len(install.records("task.ended")) == 2, "the end of both")
    assert not install.records("incident.guarded_changed")


def test_what_is_gone_with_another_task_is_no_incident(install: Install) -> None:
    folder = programs(install, "work")
    with running(install) as agent:
        agent.run("true")
        waits = "touch up; while [ ! -e done ]; do sleep 0.1; done"
        other = subprocess.Popen(
            [*TASKPASS, "run", "--headless", "--", "sh", "-c", waits],
            cwd=folder, env=install.environ,
        )  # fmt: skip
        wait_for((folder / "up").exists, "the second task")
    wait_for(lambda: install.records("task.ended"), "the end of the first")
    (folder / "done").touch()
    assert other.wait(timeout=60) == 0
    wait_for(lambda: len(install.records("task.ended")) == 2, "the end of both")
    assert not install.records("incident.guarded_changed")
