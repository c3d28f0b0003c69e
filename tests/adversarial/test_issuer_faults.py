"""Each issuer × each fault, through the real engine: nothing that was made is ever lost sight of.

Whatever an issuer does, its use ends in a credential or in one clear sentence, and each token it
made ends revoked, expired, or in sight as not confirmed dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import IssuerFailed, TaskpassError
from supervisor.issuers import build_issuers
from supervisor.model import KillMode, LeaseState
from supervisor.paths import Paths
from supervisor.ports import Release
from supervisor.tokens.keys import SigningKey
from supervisor.vault.store import open_vault
from tests.support.core_fakes import CHILD, REAL, ROOT, STAND_IN, OneCredential, World
from tests.support.faulty_upstream import GARBAGE, Fault
from tests.support.issuer_matrix import ISSUERS, Rigged
from tests.support.live import until

VISIBLE = {LeaseState.UNCONFIRMED, LeaseState.IRREVOCABLE, LeaseState.EXPIRING}


@dataclass
class Scene:
    """One issuer in an engine whose pauses are short."""

    rigged: Rigged
    world: World = field(init=False)
    before: set[asyncio.Task[Any]] = field(default_factory=asyncio.all_tasks)

    def __post_init__(self) -> None:
        self.world = World(vault=OneCredential(self.rigged.spec), issuer=self.rigged.issuer)
        engine = self.world.engine
        self.rigged.issuer.patience = 15.0
        engine.minting.late = 0.3
        engine.revoking.patience = 0.3
        engine.revoking.pause = lambda tries: 0.005

    async def use(self, handle: str) -> Release:
        return await self.world.engine.authorize_use(
            self.world.task, handle, [CHILD, ROOT], self.rigged.effect, [STAND_IN]
        )

    async def settle(self) -> None:
        """The call ends, and all that is done behind it is done."""
        self.world.exits[CHILD]()
        await until(lambda: "call.settled" in self.world.ledger.kinds, "the call to end")

    async def at_rest(self) -> None:
        """Nothing of a mint that nobody waits for is left."""
        await until(lambda: not self.world.engine.desk._background, "background work to end")

    def in_sight(self) -> bool:
        """Whether each token that is good now is under a lease, or shown with an end so late."""
        live = self.rigged.live()
        views = [view for view in self.world.engine.revoking.views() if view.state in VISIBLE]
        ends = sorted((view.until for view in views), reverse=True)
        ending = sorted(live.values(), reverse=True)
        return len(ending) <= len(ends) and all(
            shown >= end - 1 for shown, end in zip(ends, ending, strict=False)
        )

    def secrets(self) -> list[str]:
        return [REAL, *self.rigged.live()]

    def told(self) -> str:
        """All that leaves the engine but for the credential itself."""
        return repr(self.world.ledger.records) + repr(self.world.events)


@pytest.fixture(params=ISSUERS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with ISSUERS[request.param](tmp_path) as rigged:
        made = Scene(rigged)
        yield made
        await made.world.engine.revoking.close()


@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
async def test_whatever_goes_wrong_while_it_is_made(scene: Scene, fault: Fault | None) -> None:
    handle = await scene.world.handle()
    if fault is not None:
        scene.rigged.fail(fault)
    if fault in (Fault.HANG, Fault.LATE):
        scene.rigged.issuer.patience = 0.1
    error: TaskpassError | None = None
    try:
        release = await asyncio.wait_for(scene.use(handle), 5)
    except TaskpassError as failed:
        error = failed
    seen = scene.secrets()
    if error is None:
        assert release.secret is not None
        assert "\n" not in release.secret.value
        seen.append(release.secret.value)
    else:
        assert error.message.endswith(".")
        assert "\n" not in str(error)
        assert not any(secret in str(error) for secret in seen)
        assert "use.denied" in scene.world.ledger.kinds
        await until(lambda: not list(scene.world.engine.book.leases()), "its lease to end")
    scene.rigged.release()
    await scene.settle()
    await scene.at_rest()
    seen += scene.secrets()
    assert scene.in_sight()
    assert not any(secret in scene.told() for secret in seen)
    if scene.rigged.ends_fail is not None and scene.rigged.live():
        assert {"lease.irrevocable", "lease.unconfirmed"} & set(scene.world.ledger.kinds)
    if fault in (None, Fault.LATE) and scene.rigged.issuer.kill_mode is not KillMode.VERIFIER:
        # Its answer came, in time or not: it is ended.
        await until(lambda: not scene.rigged.live(), "it to be revoked")
    assert error is None or fault is not None


@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.SERVER_ERROR, Fault.GARBAGE, Fault.CUT], ids=str
)
async def test_whatever_goes_wrong_while_it_is_ended(scene: Scene, fault: Fault) -> None:
    if scene.rigged.ends_fail is None:
        assert scene.rigged.issuer.kill_mode is not KillMode.UPSTREAM
        return
    handle = await scene.world.handle()
    await asyncio.wait_for(scene.use(handle), 5)
    assert scene.rigged.live()
    scene.rigged.ends_fail(fault)
    await scene.settle()
    assert scene.in_sight()
    scene.rigged.heal()
    await until(lambda: not scene.world.engine.revoking.views(), "it to be confirmed")
    assert not scene.rigged.live()
    (revoked,) = scene.world.ledger.read(kinds=["lease.revoked"])
    assert revoked["credential"] == "api"
    assert revoked["user"] == "ana@laptop"
    assert not scene.world.owed.kept


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
async def test_no_answer_makes_a_credential_of_garbage(body: bytes, tmp_path: Path) -> None:
    async with ISSUERS["desk"](tmp_path) as rigged:
        scene = Scene(rigged)
        handle = await scene.world.handle()
        assert rigged.upstream is not None
        rigged.upstream.fail(Fault.GARBAGE, body=body)
        with pytest.raises(IssuerFailed):
            await scene.use(handle)
        await scene.settle()
        await scene.at_rest()
        assert scene.in_sight()
        await scene.world.engine.revoking.close()


def test_every_issuer_there_is_goes_through_this(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path)
    vault = open_vault(paths, keyring=lambda state: None)
    assert set(build_issuers(vault, SigningKey.from_file(tmp_path / "key"))) <= set(ISSUERS)
