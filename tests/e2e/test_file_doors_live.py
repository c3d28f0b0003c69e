"""What a person approves outside the workspace works, in a contained task, for that call."""

from __future__ import annotations

from tests.support.live import Install, Person, wait_for
from tests.support.scripted_agent import running


def test_an_approved_write_outside_reaches_the_real_file_and_nothing_beside_it(
    install: Install,
) -> None:
    notes = install.home / "notes"
    notes.mkdir()
    (notes / "todo").write_text("one\n")
    (notes / "private").write_text("not asked about\n")
    with Person(install) as person, running(install) as agent:
        person.answers("")
        assert "No such file" in agent.run("ls ~/notes")
        output = agent.run("echo two >> ~/notes/todo; ls ~/notes; echo three > ~/notes/new")
        assert output.split() == ["todo"]
        wait_for((notes / "new").exists, "the new file to be put in place")
        assert (notes / "todo").read_text() == "one\ntwo\n"
        assert (notes / "new").read_text() == "three\n"
        assert agent.run("cat ~/notes/todo") == "one\ntwo\n", "asked about as a read of its own"
        wait_for(lambda: len(install.records("doors.closed")) == 2, "the doors to be closed")
    opened = install.records("doors.opened")
    assert opened[0]["doors"] == [f"write {notes}/new", f"write {notes}/todo"]
    assert opened[1]["doors"] == [f"read {notes}/todo"]
    assert install.records("doors.closed")[0]["made"] == [f"{notes}/new"]


def test_what_is_denied_stays_out_of_reach(install: Install) -> None:
    (install.home / "notes").write_text("one\n")
    with Person(install) as person, running(install) as agent:
        person.answers("", approve=False)
        assert not agent.announce("cat ~/notes").allowed
        assert not agent.announce("cat ~/.ssh/id_rsa").allowed
    assert not install.records("doors.opened")


def test_deny_read_wins_over_an_answer(install: Install) -> None:
    (install.home / "notes").write_text("one\n")
    install.configure('[containment]\ndeny_read = ["~/notes"]\n')
    with Person(install) as person, running(install) as agent:
        person.answers("")
        refused = agent.announce("cat ~/notes")
        assert not refused.allowed
        assert "kept from tasks" in refused.reason
    assert not install.records("approval.asked")


def test_a_door_ends_with_its_task(install: Install) -> None:
    (install.home / "notes").write_text("one\n")
    with Person(install) as person, running(install) as agent:
        person.answers("")
        begun = agent.begin("cat ~/notes; echo two >> ~/notes; sleep 300")
        wait_for(lambda: "one" in agent.output(begun), "the file to be read")
        install.cli("revoke", "--all")
        wait_for(lambda: install.records("task.killed"), "the end")
    assert (install.home / "notes").read_text() == "one\ntwo\n"
