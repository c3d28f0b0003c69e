"""What one key lends: undoable before it is done, and nothing half done when it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import brokering
from supervisor.client_setup import SetupClient
from supervisor.discovery import Found, Way
from supervisor.errors import Denied, IssuerFailed, TaskpassError, UsageError
from supervisor.protocol import credentials as wcred
from supervisor.protocol.imports import Imported, ImportPlan, ImportRow, PlanImport
from supervisor.protocol.setup import RecordUndo, UndoView
from supervisor.protocol.wire import AddCredential, CredentialView

GH = Found("gh", "/home/ana/.config/gh/hosts.yml", "ana", Way.REFERENCE,
           hosts=("github.com", "api.github.com"),
           reference="cmd://gh auth token --hostname github.com")  # fmt: skip


class Supervisor(SetupClient):
    """Writes down what it was asked, in order."""

    def __init__(self, known: tuple[str, ...] = (), status: int = 200) -> None:
        self.known, self.status = known, status
        self.error: TaskpassError | None = None
        self.asked: list[Any] = []
        self.plan: tuple[str, ...] = ("STRIPE_KEY",)

    async def credentials(self) -> list[CredentialView]:
        return [
            CredentialView(name=name, issuer="stored", hosts=(), env="", kill_mode="wire",
                           kill_bound=0.1, created=0.0)
            for name in self.known
        ]  # fmt: skip

    async def record_undo(self, request: RecordUndo) -> UndoView:
        self.asked.append(request)
        return UndoView(id="r-1", at=0.0, what=request.what)

    async def forget_undo(self, name: str) -> None:
        self.asked.append(f"forget {name}")

    async def add_credential(self, request: AddCredential) -> CredentialView:
        self.asked.append(request)
        if self.error:
            raise self.error
        return (await Supervisor((request.name,)).credentials())[0]

    async def test_credential(
        self, name: str, request: wcred.TestCredential
    ) -> wcred.TestedCredential:
        if not self.status:
            await asyncio.sleep(60)
        return wcred.TestedCredential(host=request.host, path=request.path, status=self.status)

    async def plan_import(self, request: PlanImport) -> ImportPlan:
        rows = [ImportRow(name=n, line=1, why="", credential=n, secret=True) for n in self.plan]
        return ImportPlan(path=request.path, digest="sha256:1", rows=tuple(rows))

    async def carry_out_import(self, request: PlanImport, digest: str) -> Imported:
        self.asked.append((request.path, digest))
        return Imported(plan=await self.plan_import(request), undo="r-2")


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


async def test_a_log_in_is_lent_by_reference_and_can_be_taken_back(gh: Path) -> None:
    supervisor = Supervisor()
    told = await brokering.broker(supervisor, GH, "/home/ana/shop")
    recorded, added = supervisor.asked
    assert recorded.credentials == ("github",)
    assert (added.name, added.issuer, added.secret, added.env) == (
        "github",
        "reference",
        "",
        "GH_TOKEN",
    )
    assert {"github.com", "api.github.com"} <= set(added.hosts)
    assert added.options["program"] == str(gh)
    assert "GET /user answers 200" in told
    assert "taskpass undo r-1" in told


async def test_what_cannot_be_added_leaves_nothing_to_undo(gh: Path) -> None:
    supervisor = Supervisor()
    supervisor.error = IssuerFailed("`gh auth token` ended with 1.")
    with pytest.raises(IssuerFailed):
        await brokering.broker(supervisor, GH, "/home/ana/shop")
    assert supervisor.asked[-1] == "forget r-1"


async def test_what_is_lent_already_is_left_alone(gh: Path) -> None:
    supervisor = Supervisor(known=("github",))
    assert "already" in await brokering.broker(supervisor, GH, "/home/ana/shop")
    assert supervisor.asked == []


async def test_a_token_that_is_refused_is_told(gh: Path) -> None:
    with pytest.raises(Denied, match="401"):
        await brokering.broker(Supervisor(status=401), GH, "/home/ana/shop")


async def test_nobody_waits_for_a_trial_that_does_not_end(
    gh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokering, "_TRIAL", 0.01)
    told = await brokering.broker(Supervisor(status=0), GH, "/home/ana/shop")
    assert "answers" not in told
    assert "by use" in told


async def test_a_program_that_a_task_could_change_is_not_asked(gh: Path, tmp_path: Path) -> None:
    supervisor = Supervisor()
    with pytest.raises(UsageError, match="a task could change it"):
        await brokering.broker(supervisor, GH, str(tmp_path))
    assert supervisor.asked == []


async def test_a_dotenv_is_imported_as_it_was_shown_and_no_further(tmp_path: Path) -> None:
    file = Found("dotenv", str(tmp_path / ".env"), "", Way.IMPORT, names=("STRIPE_KEY", "OTHER"))
    supervisor = Supervisor()
    told = await brokering.broker(supervisor, file, str(tmp_path))
    assert supervisor.asked == [(str(tmp_path / ".env"), "sha256:1")]
    assert "STRIPE_KEY moved to the vault" in told
    supervisor.plan = ("STRIPE_KEY", "NEW_KEY")
    with pytest.raises(UsageError, match="changed meanwhile"):
        await brokering.broker(supervisor, file, str(tmp_path))
    assert len(supervisor.asked) == 1


async def test_a_variable_is_lent_from_the_terminal_and_its_value_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_KEY", "acme_0123456789abcdef")
    variable = Found(
        "environment",
        "",
        "Acme",
        Way.REFERENCE,
        hosts=("api.acme.test",),
        names=("ACME_KEY",),
        reference="env://ACME_KEY",
        header="x-api-key",
        scheme="",
    )
    supervisor = Supervisor()
    await brokering.broker(supervisor, variable, "/home/ana/shop")
    added = supervisor.asked[-1]
    assert (added.name, added.env, added.header, added.scheme) == (
        "acme-key",
        "ACME_KEY",
        "x-api-key",
        "",
    )
    assert added.options["from"] == "env://ACME_KEY"
    assert "0123456789abcdef" not in repr(added)
    assert added.secret == ""
