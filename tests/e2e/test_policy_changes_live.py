"""The person's policy files are changed while tasks run: seen, told, and accepted in a terminal."""

from __future__ import annotations

import asyncio

from tests.support.live import TASKPASS, Install, wait_for
from tests.support.scripted_agent import running
from tests.support.terminal import Terminal

CURL = "curl -s https://docs.example/"
NO_CURL = """
@id("mine/curl")
forbid (principal, action == Action::"run", resource == Program::"curl");
"""


def write(install: Install, text: str) -> None:
    folder = install.paths.config / "policy"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "mine.new"  # as editors do
    scratch.write_text(text)
    scratch.rename(folder / "mine.cedar")


def accept(install: Install, *, really: bool) -> int:
    async def typed() -> int:
        argv = [*TASKPASS, "policy", "accept"]
        async with Terminal(argv, cwd=install.project, environ=install.environ) as window:
            code = await window.shows(r"Type (\w\w) to put it in force")
            assert "-@id" in window.text()
            assert "no longer refuses: mine/curl" in window.text()
            window.type(code[1] if really else "no")
            window.press("enter")
            return await window.exit_code()

    return asyncio.run(typed())


def test_a_change_from_outside_tightens_at_once_and_loosens_once_accepted(install: Install) -> None:
    with running(install, name="first") as first:
        assert first.announce(CURL).allowed
        write(install, NO_CURL)
        wait_for(lambda: install.records("policy.changed"), "the change on record")
        assert not first.announce(CURL).allowed
        (told,) = install.records("policy.changed")
        assert "+@id" in told["diff"]
        assert told["waits"] == []
        assert told["tasks"] == [first.task]

        write(install, "")
        wait_for(lambda: len(install.records("policy.changed")) == 2, "the second change")
        with running(install, name="second") as second:
            assert not second.announce(CURL).allowed
        assert accept(install, really=False) == 3
        assert accept(install, really=True) == 0
        (record,) = install.records("policy.accepted")
        assert record["by"]
        with running(install, name="third") as third:
            assert third.announce(CURL).allowed
        assert not first.announce(CURL).allowed  # it keeps what it was under


def test_a_new_start_of_the_supervisor_accepts_nothing(install: Install) -> None:
    write(install, NO_CURL)
    with running(install, name="first") as first:
        assert not first.announce(CURL).allowed
    install.stop()
    write(install, "")
    with running(install, name="second") as second:
        assert not second.announce(CURL).allowed
        told = wait_for(lambda: install.records("policy.changed"), "what waits on record")
        assert "mine/curl" in told[-1]["waits"][0]


def test_no_one_accepts_without_a_terminal(install: Install) -> None:
    refused = install.cli("policy", "accept")
    assert refused.returncode == 2
    assert "terminal" in refused.stderr


def test_files_that_cannot_be_used_are_told_and_change_nothing(install: Install) -> None:
    write(install, NO_CURL)
    with running(install) as agent:
        write(install, "permit (")
        wait_for(lambda: install.records("policy.unusable"), "the fault on record")
        assert "mine.cedar:1" in install.records("policy.unusable")[0]["reason"]
        assert not agent.announce(CURL).allowed
