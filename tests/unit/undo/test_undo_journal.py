"""What was changed for the person can be taken back, byte for byte, or nothing of it is."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.errors import ConfigError, Denied, NotFound, UsageError, VaultLocked
from supervisor.paths import Paths
from supervisor.undo import CredentialStep, Journal, digest, file_step, put
from supervisor.vault import open_vault

SECRET = b"STRIPE_KEY=sk_live_4fz81kq90xvwpl27mncb\n"
STAND_IN = b"STRIPE_KEY=sk_live_aaaaaaaaaaaaaaaaaaaa\n"


class House:
    """A journal over a real vault, and a file it is about."""

    def __init__(self, root: Path) -> None:
        state = root / "state"
        state.mkdir(mode=0o700)
        self.removed: list[str] = []
        self.state = state
        self.file = root / ".env"
        self.file.write_bytes(SECRET)
        self.file.chmod(0o640)
        os.utime(self.file, ns=(1_700_000_000_000_000_001, 1_700_000_000_000_000_002))
        self.journal = self.opened()

    def opened(self) -> Journal:
        paths = Paths(self.state, self.state, self.state, self.state)
        vault = open_vault(paths, keyring=lambda state: None)

        async def remove(name: str) -> None:
            self.removed.append(name)

        return Journal(self.state / "undo", vault, remove)

    async def change(self) -> str:
        step = file_step(str(self.file), STAND_IN)
        entry = await self.journal.record("moved 1 value", [step, CredentialStep("stripe")])
        put(step.path, STAND_IN, step.before)
        return entry.id


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_file_comes_back_with_content_mode_and_time(house: House) -> None:
    before = house.file.stat()
    await house.change()
    changed = house.file.stat()
    assert (house.file.read_bytes(), changed.st_mode) == (STAND_IN, before.st_mode)
    done = await house.opened().undo()  # also after a restart
    after = house.file.stat()
    assert house.file.read_bytes() == SECRET
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert (done.what, house.removed) == ("moved 1 value", ["stripe"])
    assert house.journal.entries() == []
    with pytest.raises(NotFound, match="nothing to undo"):
        await house.journal.undo()


async def test_two_who_undo_at_once_undo_once(house: House) -> None:
    entry = await house.change()
    both = await asyncio.gather(
        *(house.journal.undo(entry) for _ in range(2)), return_exceptions=True
    )
    assert [type(each).__name__ for each in both] == ["Entry", "NotFound"]
    assert (house.file.read_bytes(), house.removed) == (SECRET, ["stripe"])


async def test_a_file_we_made_is_removed_again(house: House, tmp_path: Path) -> None:
    made = tmp_path / "new"
    await house.journal.record("made a file", [file_step(str(made), b"x")])
    put(str(made), b"x", None)
    assert made.stat().st_mode & 0o777 == 0o600
    await house.journal.undo()
    assert not made.exists()


async def test_what_was_changed_since_stays_and_nothing_else_is_undone(
    house: House, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"one")
    steps = [file_step(str(other), b"two"), file_step(str(house.file), STAND_IN)]
    entry = await house.journal.record("both", [*steps, CredentialStep("stripe")])
    put(str(other), b"two", steps[0].before)
    house.file.write_bytes(STAND_IN + b"MINE=1\n")
    with pytest.raises(Denied, match="changed since") as refused:
        await house.journal.undo(entry.id)
    assert f"taskpass undo {entry.id} --copy DIR" in refused.value.hint
    assert (other.read_bytes(), house.removed) == (b"two", [])
    await house.journal.copy(entry.id, str(tmp_path))
    copied = tmp_path / ".env.before-2"
    assert copied.read_bytes() == SECRET
    assert copied.stat().st_mode & 0o077 == 0


async def test_one_that_never_happened_is_undone_by_leaving_it(house: House) -> None:
    await house.journal.record("died before it", [file_step(str(house.file), STAND_IN)])
    before = house.file.stat()
    await house.journal.undo()
    assert house.file.stat().st_ino == before.st_ino


async def test_neither_the_journal_nor_an_error_tells_what_was_in_a_file(house: House) -> None:
    entry = await house.change()
    for path in house.state.rglob("*"):
        if path.is_file():
            assert b"4fz81kq90" not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path
    assert "4fz81kq90" not in repr(file_step(str(house.file), b"")) + repr(house.journal.entries())
    assert entry in {each.id for each in house.journal.entries()}


async def test_an_entry_that_was_tampered_with_is_not_followed(house: House) -> None:
    entry = await house.change()
    file = house.state / "undo" / f"{entry}.json"
    file.write_text(file.read_text().replace(str(house.file), "/tmp/elsewhere"))
    with pytest.raises(VaultLocked, match="changed"):
        await house.journal.undo(entry)
    file.write_text("{}")
    with pytest.raises(ConfigError, match="not an entry"):
        house.journal.entries()
    assert house.file.read_bytes() == STAND_IN


def link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def second_name(path: Path) -> None:
    path.with_name("also").hardlink_to(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("make", [link, second_name, folder])
async def test_what_could_not_be_put_back_is_not_changed(
    house: House, make: Callable[[Path], None]
) -> None:
    make(house.file)
    with pytest.raises(UsageError, match="left as it is"):
        file_step(str(house.file), STAND_IN)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.binary(max_size=40))), max_size=6)
)
@settings(max_examples=25, deadline=None)
def test_undoing_all_in_reverse_leads_back_to_the_start(
    changes: list[tuple[int, bytes | None]],
) -> None:
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(_there_and_back(Path(made), changes))


async def _there_and_back(root: Path, changes: list[tuple[int, bytes | None]]) -> None:
    house = House(root)
    files = [root / name for name in ("a", "b", "c")]
    files[0].write_bytes(b"first")

    def state() -> list[bytes | None]:
        return [path.read_bytes() if path.exists() else None for path in files]

    before = state()
    for number, content in changes:
        step = file_step(str(files[number]), content)
        await house.journal.record("change", [step])
        if content is not None:
            put(step.path, content, step.before)
        elif step.before is not None:
            files[number].unlink()
        assert step.after == ("" if content is None else digest(content))
    for entry in reversed(house.journal.entries()):
        await house.journal.undo(entry.id)
    assert state() == before
