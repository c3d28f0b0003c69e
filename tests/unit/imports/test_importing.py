"""An import is done whole or not at all, and can be taken back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import ConfigError, Denied, LedgerFailed, UsageError
from supervisor.importing import Importing
from supervisor.imports import repository
from supervisor.imports.repository import Tracked, tracked
from supervisor.imports.showing import safe_to_show
from supervisor.paths import Paths
from supervisor.protocol.imports import CarryOutImport, Imported, PlanImport
from supervisor.undo import Journal
from supervisor.vault.store import FileVault, open_vault

STRIPE = "sk_live_4fz81kq90xvwpl27mncb"
TEXT = f"# shop\r\nexport STRIPE_KEY='{STRIPE}'\r\nPORT=3000\r\n"


class Ledger:
    def __init__(self) -> None:
        self.records: list[tuple[str, Mapping[str, Any]]] = []
        self.fails = False

    async def append(self, kind: str, body: Mapping[str, Any]) -> None:
        if self.fails:
            raise LedgerFailed("The disk is full.")
        self.records.append((kind, body))


class Shop:
    """A project with a `.env`, and what imports it."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.state.mkdir(mode=0o700)
        self.project = root / "shop"
        self.project.mkdir()
        self.file = self.project / ".env"
        self.file.write_bytes(TEXT.encode())
        self.file.chmod(0o640)
        self.ledger = Ledger()
        self.open()

    def open(self) -> None:
        """As a supervisor that is started anew does."""
        paths = Paths(self.state, self.state, self.state, self.state)
        self.vault: FileVault = open_vault(paths, keyring=lambda state: None)
        self.journal = Journal(self.state / "undo", self.vault, self.vault.remove)
        self.importing = Importing(self.vault, self.journal, self.ledger)  # type: ignore[arg-type]

    async def move(self, **options: Any) -> Imported:
        asked = PlanImport(path=str(self.file), **options)
        plan = await self.importing.plan(asked)
        return await self.importing.carry_out(CarryOutImport(plan=asked, digest=plan.digest))

    @property
    def stand_in(self) -> str:
        return self.file.read_text().split("'")[1]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def test_the_secret_moves_and_comes_back_with_every_byte(shop: Shop) -> None:
    info = shop.file.stat()
    done = await shop.move()
    assert done.plan.shown
    text = shop.file.read_bytes().decode()
    assert text == TEXT.replace(STRIPE, shop.stand_in)
    assert len(shop.stand_in) == len(STRIPE)
    assert shop.stand_in.startswith("sk_live_")
    assert STRIPE not in text
    assert shop.file.stat().st_mode == info.st_mode
    (spec,) = shop.vault.specs()
    assert (spec.name, spec.env, spec.hosts[0]) == ("stripe-key", "STRIPE_KEY", "api.stripe.com")
    assert (await shop.vault.secret("stripe-key")).value == STRIPE
    assert STRIPE not in str(shop.ledger.records)
    for path in shop.state.rglob("*"):
        assert path.is_dir() or STRIPE.encode() not in path.read_bytes()
    await shop.journal.undo(done.undo)
    assert shop.file.read_bytes() == TEXT.encode()
    assert shop.file.stat().st_mtime_ns == info.st_mtime_ns
    assert shop.vault.specs() == ()


async def test_the_files_stand_in_is_good_where_the_file_lies_and_a_canary_elsewhere(
    shop: Shop,
) -> None:
    await shop.move()
    for _ in range(2):
        assert shop.vault.resolve("t-1", shop.stand_in) == ""
        assert shop.vault.canary(shop.stand_in) == "stripe-key"
        await shop.vault.equip("t-1", ["stripe-key"])
        assert shop.vault.resolve("t-1", shop.stand_in) == "stripe-key"
        assert shop.vault.resolve("t-2", shop.stand_in) == ""
        assert shop.vault.canary("sk_live_" + "a" * 20) == ""
        shop.vault.forget("t-1")
        shop.open()


async def test_it_still_works_after_the_secret_was_rotated(shop: Shop) -> None:
    from supervisor.ports import Secret

    await shop.move()
    await shop.vault.rotate("stripe-key", Secret("rk_live_another-and-longer-one-0123456789"))
    shop.open()
    await shop.vault.equip("t-1", ["stripe-key"])
    assert shop.vault.resolve("t-1", shop.stand_in) == "stripe-key"


async def test_twice_moves_nothing_the_second_time(shop: Shop) -> None:
    await shop.move()
    before = shop.file.read_bytes()
    again = await shop.move()
    assert again.undo == ""
    assert shop.file.read_bytes() == before
    assert len(shop.vault.specs()) == 1


async def test_tasks_see_it_until_a_secret_is_written_into_it(shop: Shop) -> None:
    assert safe_to_show(shop.vault, str(shop.project)) == ()
    await shop.move()
    assert safe_to_show(shop.vault, str(shop.project)) == (str(shop.file),)
    assert safe_to_show(shop.vault, str(shop.project) + "-2") == ()
    moved = shop.file.read_bytes()
    with shop.file.open("a") as file:
        file.write("JWT_SECRET=0123456789abcdefXYZ\n")
    assert safe_to_show(shop.vault, str(shop.project)) == ()
    shop.file.write_bytes(moved)
    elsewhere = shop.project / "real"
    shop.file.rename(elsewhere)
    shop.file.symlink_to(elsewhere)
    assert safe_to_show(shop.vault, str(shop.project)) == ()


async def test_a_change_between_plan_and_deed_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = PlanImport(path=str(shop.file))
    plan = await shop.importing.plan(asked)
    shop.file.write_text("OTHER=1\n")
    with pytest.raises(Denied, match="changed meanwhile"):
        await shop.importing.carry_out(CarryOutImport(plan=asked, digest=plan.digest))

    # … and one while the secrets are being stored.
    shop.file.write_bytes(TEXT.encode())
    add = shop.vault.add

    async def slow(*arguments: Any) -> None:
        await add(*arguments)
        shop.file.write_text("OTHER=2\n")

    monkeypatch.setattr(shop.vault, "add", slow)
    with pytest.raises(Denied, match="changed meanwhile"):
        await shop.move()
    assert shop.file.read_text() == "OTHER=2\n"
    assert shop.vault.specs() == ()
    assert shop.journal.entries() == []


async def test_without_a_record_or_room_nothing_is_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.ledger.fails = True
    with pytest.raises(LedgerFailed):
        await shop.move()
    shop.ledger.fails = False

    def full(*_: object, **__: object) -> None:
        raise ConfigError("Cannot write .env: No space left on device.")

    monkeypatch.setattr("supervisor.importing.put", full)
    with pytest.raises(ConfigError):
        await shop.move()
    assert shop.file.read_bytes() == TEXT.encode()
    assert shop.vault.specs() == ()
    assert shop.journal.entries() == []


@pytest.mark.parametrize(
    "kind", ["link", "folder link", "hard link", "gone", "directory", "relative"]
)
async def test_what_could_not_be_put_back_is_not_touched(shop: Shop, kind: str) -> None:
    path = shop.file
    if kind == "link":
        path = shop.project / "linked"
        path.symlink_to(shop.file)
    elif kind == "folder link":
        (shop.project.parent / "again").symlink_to(shop.project)
        path = shop.project.parent / "again" / ".env"
    elif kind == "hard link":
        os.link(shop.file, shop.project / "other")
    elif kind == "gone":
        path = shop.project / "gone"
    elif kind == "directory":
        path = shop.project
    elif kind == "relative":
        path = Path(".env")
    with pytest.raises(UsageError):
        await shop.importing.plan(PlanImport(path=str(path)))
    assert shop.file.read_bytes() == TEXT.encode()


def git(shop: Shop, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.test", *words],
        cwd=shop.project, check=True, capture_output=True,
    )  # fmt: skip


async def test_what_git_tracks_is_refused_and_what_it_tracked_is_told(shop: Shop) -> None:
    assert tracked(str(shop.file)) is Tracked.NO
    git(shop, "init")
    assert tracked(str(shop.file)) is Tracked.NO
    # Settings of the repository start nothing.
    git(shop, "config", "core.fsmonitor", f"touch {shop.project}/started")
    git(shop, "config", "core.pager", f"touch {shop.project}/started")
    git(shop, "add", "-f", ".env")
    with pytest.raises(UsageError, match="git tracks"):
        await shop.move()
    git(shop, "commit", "-m", "oops")
    git(shop, "rm", "--cached", ".env")
    git(shop, "commit", "-m", "better")
    (shop.project / "started").unlink(missing_ok=True)  # by the person's own git
    assert tracked(str(shop.file)) is Tracked.ONCE
    assert not (shop.project / "started").exists()
    done = await shop.move()
    assert "history" in done.plan.notes[0]


def test_where_git_gives_no_answer_that_is_said(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(shop, "init")
    monkeypatch.setattr(repository, "_git", lambda *words: None)
    assert tracked(str(shop.file)) is Tracked.UNKNOWN
