"""Which files outside a container a call gets to see, and for how long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.calls.filedoors import FileDoors
from supervisor.model import (
    Answer,
    Decision,
    Effect,
    Outcome,
    Scope,
    Tier,
    ToolCall,
    ToolKind,
    Verb,
)
from supervisor.ports import HookAnswer, Situation
from tests.support.core_fakes import ROOT, FixedPolicy, World, a_task
from tests.support.live import until

SECRETS = (
    ".ssh/id_ed25519", ".aws/credentials", ".config/gh/hosts.yml", "project/.env", ".bashrc",
    ".claude/.credentials.json", ".local/state/taskpass/install.key",
)  # fmt: skip
ASK = Decision(Outcome.ASK, "writes outside the workspace", ("ask-it",))


class Asking(FixedPolicy):
    """Says what it asks about, as the real one does."""

    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        decision = super().decide(effects, situation)
        asked = [effect for effect in effects if self.answers.get(effect.verb) is ASK]
        return replace(decision, about=tuple(asked))


class House:
    """A home beside a workspace, and an engine whose policy asks about what it is told to."""

    def __init__(self, root: Path) -> None:
        self.home, self.work = root / "home", root / "home/work"
        self.world = World(policy=Asking(), began=replace(a_task(), cwd=str(self.work)))
        self.work.mkdir(parents=True)
        (self.home / "notes").mkdir()
        (self.home / "notes/todo").write_text("x")
        self.doors.home = os.path.realpath(self.home)

    def real(self, name: str) -> str:
        return os.path.realpath(self.home / name)

    @property
    def entry(self) -> Any:
        return self.world.entry

    @property
    def doors(self) -> FileDoors:
        return self.world.engine.doors

    @property
    def said(self) -> list[str]:
        return self.world.control.said

    def runtime(self, **changes: Any) -> None:
        task = self.entry.task
        self.entry.task = replace(task, runtime=replace(task.runtime, **changes))

    def asks(self, *verbs: Verb) -> None:
        """Policy asks about these verbs, wherever the file is."""
        answers = self.world.policy.answers
        for verb in verbs:
            answers[verb] = ASK

    async def call(self, tool: str, path: Path | str) -> HookAnswer:
        kind = {"Write": ToolKind.WRITE, "Read": ToolKind.READ}[tool]
        call = ToolCall("x-1", tool, kind, {"file_path": str(path), "content": "x"},
                        str(self.work), paths=(str(path),))  # fmt: skip
        return await self.world.engine.open_call(self.world.task, call, ROOT)

    async def approved(self, tool: str, path: Path | str) -> HookAnswer:
        asking = asyncio.ensure_future(self.call(tool, path))
        queue = self.world.engine.approvals
        await until(lambda: queue.all_pending() or asking.done(), "the question")
        for pending in queue.all_pending():
            await queue.answer(
                pending.id, answer=Answer.APPROVED, scope=Scope.ONCE, by="ana", code=pending.code
            )
        return await asking

    async def settle(self) -> None:
        await self.world.engine.settle_call(self.world.task, "x-1", "ok")


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("supervisor.effects.files._TEMPORARY", ("/nowhere",))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return House(tmp_path)


async def test_an_approved_file_is_shown_until_its_call_settles(house: House) -> None:
    house.asks(Verb.WRITE)
    path = house.real("notes/todo")
    assert (await house.approved("Write", path)).allow
    assert house.said == [f"open write {path}"]
    await house.settle()
    # An agent looks at a file before it announces a change: it can be read until the turn ends.
    assert house.said[1:] == ["close and publish", f"open read {path}"]
    await house.world.engine.settle_call(house.world.task, "", "turn ended")
    assert house.said[3:] == ["close"]
    await house.world.engine.settle_call(house.world.task, "", "turn ended")
    assert house.said[4:] == []
    kinds = [kind for kind in house.world.ledger.kinds if kind.startswith("doors")]
    assert kinds == ["doors.opened", "doors.closed", "doors.closed"]


async def test_a_file_that_does_not_exist_yet_can_be_written(house: House) -> None:
    house.asks(Verb.WRITE)
    path = house.real("notes/new/deep")
    assert (await house.approved("Write", path)).allow
    assert house.said == [f"open write {path}"]


async def test_what_the_persons_own_rule_allows_needs_no_question(house: House) -> None:
    assert (await house.call("Write", house.home / "notes/todo")).allow
    assert (await house.call("Read", house.home / "notes/todo")).allow
    assert [word.split()[:2] for word in house.said] == [["open", "write"], ["open", "read"]]


async def test_plain_reads_of_the_system_open_nothing(house: House) -> None:
    assert (await house.call("Read", "/etc/hostname")).allow
    assert (await house.call("Write", house.work / "inside")).allow
    assert house.said == []


async def test_a_link_is_shown_where_it_lies_and_is_what_it_leads_to(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("x")
    (house.home / "notes/link").symlink_to(tmp_path / "elsewhere")
    house.asks(Verb.READ)
    assert (await house.approved("Read", house.home / "notes/link")).allow
    (said,) = house.said
    assert said == f"open read {house.real('../elsewhere')}, read {house.home}/notes/link"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (".ssh/id_ed25519", "kept from tasks"),
        (".aws/credentials", "kept from tasks"),
        (".config/gh/hosts.yml", "kept from tasks"),
        (".claude/.credentials.json", "kept from tasks"),
        ("project/.env", "kept from tasks"),
        (".local/state/taskpass/install.key", "taskpass's own"),
        (".local/state", "taskpass's own"),
        ("", "whole home"),
        (".config", "taskpass's own"),
        ("project", "holds .env"),
    ],
)
async def test_secrets_and_ours_are_never_shown_and_nobody_is_asked(
    house: House, name: str, told: str
) -> None:
    for each in SECRETS:
        (house.home / each).parent.mkdir(parents=True, exist_ok=True)
        (house.home / each).write_text("x")
    house.asks(Verb.READ, Verb.WRITE)
    answer = await house.call("Read", house.home / name)
    assert not answer.allow
    assert told in answer.reason
    assert house.said == []
    assert "approval.asked" not in house.world.ledger.kinds


async def test_settings_may_be_read_and_never_written(house: House) -> None:
    (house.home / "other/.git").mkdir(parents=True)
    for name in (".bashrc", "other/.git/config"):
        (house.home / name).write_text("x")
    house.asks(Verb.READ, Verb.WRITE)
    assert (await house.approved("Read", house.home / "other")).allow
    for name in (".bashrc", "other/.git/config"):
        assert "kept from tasks" in (await house.call("Write", house.home / name)).reason


@pytest.mark.parametrize("name", ["notes/todo", "notes"])
async def test_what_a_person_denies_to_every_task_is_not_asked_about(
    house: House, name: str
) -> None:
    house.asks(Verb.READ)
    house.runtime(denied=(house.real("notes/todo"),))
    answer = await house.call("Read", house.home / name)
    assert "kept from tasks" in answer.reason
    assert "approval.asked" not in house.world.ledger.kinds


async def test_a_link_to_a_secret_is_the_secret(house: House) -> None:
    (house.home / ".ssh").mkdir()
    (house.home / ".ssh/id_rsa").write_text("x")
    (house.home / "notes/innocent").symlink_to(house.home / ".ssh/id_rsa")
    house.asks(Verb.READ)
    answer = await house.call("Read", house.home / "notes/innocent")
    assert not answer.allow
    assert house.said == []


async def test_a_directory_is_shown_only_when_nothing_in_it_is_kept(house: House) -> None:
    house.asks(Verb.READ)
    path = house.real("notes")
    assert (await house.approved("Read", path)).allow
    assert house.said == [f"open read {path}"]


async def test_what_the_task_has_already_needs_no_door(house: House) -> None:
    house.runtime(let_write=(house.real("notes"),),
                  writable=(house.real("notes"),))  # fmt: skip
    assert (await house.call("Write", house.home / "notes/todo")).allow
    assert house.said == []


async def test_where_none_can_be_opened_it_is_said_before_anybody_is_asked(house: House) -> None:
    house.asks(Verb.WRITE)
    house.runtime(tier=Tier.B)
    answer = await house.call("Write", house.home / "notes/todo")
    assert not answer.allow
    assert "--write" in answer.reason
    assert "approval.asked" not in house.world.ledger.kinds
    (denied,) = [r for r in house.world.ledger.records if r["kind"] == "call.denied"]
    assert (denied["outcome"], denied["decided"], denied["policies"]) == ("deny", "ask", ["ask-it"])
    assert denied["effects"] == [f"write {house.real('notes/todo')}"]


async def test_uncontained_nothing_is_needed(house: House) -> None:
    house.runtime(tier=Tier.UNCONTAINED)
    assert (await house.call("Write", house.home / "notes/todo")).allow
    assert house.said == []


async def test_a_door_that_cannot_be_opened_ends_the_call(house: House) -> None:
    house.asks(Verb.WRITE)
    house.world.control.doors_problem = "It is covered by something else in there."
    answer = await house.approved("Write", house.home / "notes/todo")
    assert not answer.allow
    assert "covered" in answer.reason
    assert house.world.ledger.kinds[-2:] == ["call.settled", "call.denied"]
    assert not house.world.engine.book.open_calls(house.world.task)


async def test_no_record_no_door(house: House) -> None:
    house.world.ledger.fails.add("doors.opened")
    answer = await house.call("Write", house.home / "notes/todo")
    assert not answer.allow
    assert house.said == []


async def test_effects_that_name_no_file_of_ours_are_left_alone(house: House) -> None:
    house.world.policy.answers[Verb.RUN] = ASK
    call = asyncio.ensure_future(house.world.open("make"))
    await until(house.world.engine.approvals.all_pending, "the question")
    (pending,) = house.world.engine.approvals.all_pending()
    await house.world.engine.approvals.answer(
        pending.id, answer=Answer.APPROVED, scope=Scope.ONCE, by="ana", code=pending.code
    )
    assert (await call).allow
    assert house.said == []
