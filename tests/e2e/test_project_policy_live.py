"""What a project asks for in `taskpass.toml` holds for a live task; the person may change it."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.live import Install
from tests.support.scripted_agent import running

FORBID_DATE = """
[policy]
cedar = '''
@id("no-date")
@description("This project has no use for the date.")
forbid (principal, action == Action::"run", resource == Program::"date");
'''
[limits]
max_calls = 3
"""


def _refusal(install: Install) -> str:
    return str(install.records("call.denied")[-1]["reason"])


def test_it_tightens_the_task_that_starts_there_and_no_later_change_loosens_it(
    install: Install,
) -> None:
    subprocess.run(["git", "init", "-q", install.project], check=True)
    file = install.project / "taskpass.toml"
    file.write_text(FORBID_DATE)
    with running(install) as agent:
        assert agent.announce("echo hello").allowed
        assert not agent.announce("date").allowed
        assert "no use for the date" in _refusal(install)
        file.unlink()  # the person changes their mind: for the next task
        assert not agent.announce("date").allowed
        assert not agent.announce("echo again").allowed
        assert "used its 3 calls" in _refusal(install)
    with running(install, name="later") as agent:
        assert agent.announce("date").allowed


def test_an_agent_does_not_write_it(install: Install) -> None:
    with running(install) as agent:
        assert not agent.announce("echo '[limits]' > taskpass.toml").allowed
    assert not (install.project / "taskpass.toml").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[policy\n", "taskpass.toml:1:8"),
        ("[policy]\npreset = 'lax'\n", "there is no preset 'lax'"),
        ("[policy]\ncedar = 'permit (principal, action, resource);'\n", "may only tighten"),
    ],
)
def test_one_that_cannot_be_used_starts_no_task(install: Install, text: str, told: str) -> None:
    (install.project / "taskpass.toml").write_text(text)
    done = install.cli("run", "--headless", "--", "touch", "ran")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (install.project / "ran").exists()
    assert not install.records("task.started")


def test_a_task_may_be_started_under_a_stricter_preset(install: Install) -> None:
    install.cli("run", "--headless", "--preset", "strict", "--", "true")
    (started,) = install.records("task.started")
    assert started["preset"] == "strict"
    refused = install.cli("run", "--headless", "--preset", "lax", "--", "true")
    assert refused.returncode == 2
    assert "There is no preset 'lax'" in refused.stderr
