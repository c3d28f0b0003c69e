"""Leaving: nothing is lost that the person did not give up, and nothing of ours stays behind."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import uninstall
from supervisor.client_setup import SetupClient
from supervisor.errors import Denied, IssuerFailed, UsageError
from supervisor.leaving import Leaving
from supervisor.model import CredentialSpec, LeaseState
from supervisor.paths import Paths, user_paths
from supervisor.ports import Secret
from supervisor.protocol.setup import Leave, Left
from supervisor.protocol.wire import OwedView, RevokedView, Snapshot
from supervisor.undo import CredentialStep, Journal, file_step, put
from supervisor.vault import FileVault, open_vault
from tests.contract.test_vaults_contract import Desktop
from tests.support.core_fakes import World

SECRET = "sk_live_4fz81kq90xvwpl27mncb"


class House:
    """A supervisor's parts, its secrets in a desktop's keyring, and a file it changed."""

    def __init__(self, root: Path) -> None:
        self.desktop = Desktop()
        self.state = root / "state"
        self.state.mkdir(mode=0o700)
        paths = Paths(self.state, self.state, self.state, self.state)
        self.vault: FileVault = open_vault(paths, keyring=lambda state: self.desktop)
        self.world = World()
        self.world.engine.vault = self.vault
        self.journal = Journal(self.state / "undo", self.vault, self.vault.remove)
        self.leaving = Leaving(
            self.world.engine, self.journal, self.vault.remove, self.vault.forget_sealing
        )
        self.file = root / ".env"
        self.file.write_text(f"KEY={SECRET}\n")

    async def imported(self) -> None:
        step = file_step(str(self.file), b"KEY=x\n")
        await self.journal.record("moved 1 secret", [step, CredentialStep("stripe")])
        spec = CredentialSpec("stripe", "stored", ("api.stripe.com",))
        await self.vault.add(spec, Secret(SECRET))
        put(step.path, b"KEY=x\n", step.before)

    def ended(self) -> None:
        self.world.entry.ended = 1.0


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_files_are_put_back_and_the_keyring_holds_nothing_of_ours(house: House) -> None:
    await house.imported()
    await house.vault.add(CredentialSpec("other", "stored", ("h.test",)), Secret("12345678"))
    assert house.desktop.items
    house.ended()
    left = await house.leaving.leave(Leave())
    assert house.file.read_text() == f"KEY={SECRET}\n"
    assert left == Left(undone=("moved 1 secret",), credentials=("other",))
    assert house.desktop.items == {}


async def test_while_a_task_runs_nothing_is_touched(house: House) -> None:
    await house.imported()
    with pytest.raises(Denied, match="1 tasks are running"):
        await house.leaving.leave(Leave())
    assert house.file.read_text() == "KEY=x\n"
    assert [spec.name for spec in house.vault.specs()] == ["stripe"]


async def test_what_was_changed_since_keeps_the_only_copy_unless_the_person_gives_it_up(
    house: House,
) -> None:
    await house.imported()
    house.ended()
    house.file.write_text("KEY=x\nMINE=1\n")
    with pytest.raises(Denied, match="changed since"):
        await house.leaving.leave(Leave())
    assert (await house.vault.secret("stripe")).value == SECRET
    left = await house.leaving.leave(Leave(leave_changed=True))
    assert (left.undone, left.credentials, len(left.changed)) == ((), ("stripe",), 1)
    assert house.file.read_text() == "KEY=x\nMINE=1\n"
    assert house.desktop.items == {}


# ── The command ─────────────────────────────────────────────────────────────────────────────


class Client(SetupClient):
    """What a supervisor would say, and what it was asked."""

    def __init__(self, *owed: OwedView, changes: int = 0, confirmed_after: int = 10**9) -> None:
        self.owed, self.waiting, self.looks = owed, changes, 0
        self.confirmed_after = confirmed_after
        self.done: list[str] = []

    async def snapshot(self) -> Snapshot:
        self.looks += 1
        owed = () if self.looks > self.confirmed_after else self.owed
        return Snapshot(session="s", now=0.0, owed=owed)

    async def changes(self) -> list[Any]:
        return [object()] * self.waiting

    async def revoke_all(self) -> RevokedView:
        self.done.append("revoked")
        return RevokedView(tasks=(), leases_dead=0, connections_cut=0, took_ms=0.0)

    async def leave(self, *, leave_changed: bool) -> Left:
        self.done.append("left")
        return Left()

    async def stop(self) -> None:
        self.done.append("stopped")


def owed(state: LeaseState) -> OwedView:
    return OwedView(id="o", lease="l", task="t", credential="app", issuer="github-app",
                    state=state, ended=0.0, until=time.time() + 3600)  # fmt: skip


def options(**given: bool) -> argparse.Namespace:
    return argparse.Namespace(**({"leave_changed": False, "leave_live": False} | given))


async def test_it_waits_for_those_who_made_credentials() -> None:
    client = Client(owed(LeaseState.UNCONFIRMED), confirmed_after=5)
    await uninstall._leave(client, options())
    assert client.done == ["revoked", "left", "stopped"]


@pytest.mark.parametrize("state", [LeaseState.UNCONFIRMED, LeaseState.IRREVOCABLE])
async def test_what_may_still_be_used_is_named_and_nothing_is_removed(
    state: LeaseState, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(uninstall, "_PATIENCE", 0.05)
    client = Client(owed(state))
    with pytest.raises(IssuerFailed, match="not confirmed dead"):
        await uninstall._leave(client, options())
    assert client.done == ["revoked"]
    assert "not known to be dead: app of github-app" in capsys.readouterr().err
    await uninstall._leave(client, options(leave_live=True))
    assert client.done[-1] == "stopped"


async def test_what_dies_by_itself_is_not_waited_for() -> None:
    client = Client(owed(LeaseState.EXPIRING))
    await uninstall._leave(client, options())
    assert client.looks == 2


async def test_work_that_waits_to_be_reviewed_is_not_lost() -> None:
    client = Client(changes=2)
    with pytest.raises(Denied, match="2 tasks"):
        await uninstall._leave(client, options(leave_changed=True, leave_live=True))
    assert client.done == []


class Person:
    """Answers one question after another."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        return self.answers.pop(0)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """Directories of an install, with settings of the person's own; nothing behind them."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    short = tempfile.mkdtemp(prefix="tp-")  # a socket's path has to fit below it
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    monkeypatch.delenv("TASKPASS_TASK", raising=False)
    paths = user_paths()
    (paths.config / "config.toml").write_text("")
    client = Client()

    def with_setup(work: Any) -> Any:
        return asyncio.run(work(client))

    async def what_lives(client: Any) -> list[str]:
        return []

    monkeypatch.setattr(uninstall, "with_setup", with_setup)
    monkeypatch.setattr(uninstall, "_what_lives", what_lives)
    monkeypatch.setattr("sys.stdin", argparse.Namespace(isatty=lambda: True))
    yield paths
    shutil.rmtree(short)


@pytest.mark.parametrize(
    ("answers", "left"), [(("yes", "y"), []), (("yes", ""), ["config"]), (("yes", "n"), ["config"])]
)
def test_the_person_is_asked_and_once_more_for_what_they_wrote(
    installed: Paths, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...], left: list[str]
) -> None:
    person = Person(*answers)
    monkeypatch.setattr("builtins.input", person)
    assert uninstall.main("uninstall", []) == 0
    assert len(person.asked) == 2
    assert [name for name in ("config", "state", "cache") if getattr(installed, name).exists()] == (
        left
    )


@pytest.mark.parametrize("answer", ["y", "no", "", "YES please"])
def test_anything_but_yes_changes_nothing(
    installed: Paths, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("builtins.input", Person(answer))
    with pytest.raises(UsageError, match="Nothing was changed"):
        uninstall.main("uninstall", [])
    assert all(path.exists() for path in installed.all())


def test_a_task_does_not_uninstall(installed: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKPASS_TASK", "t-1")
    with pytest.raises(UsageError, match="inside a task"):
        uninstall.main("uninstall", ["--yes"])
