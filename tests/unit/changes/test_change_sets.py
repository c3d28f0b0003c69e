"""What a task changed in its overlay: read, shown, applied into the real workspace, or dropped."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.changes.change import Kind, leads_out, printable
from supervisor.changes.shelf import Base, ChangeSet, Shelf
from supervisor.errors import Denied, NotFound, UsageError

TASK = "t-0123456789"


class Kept:
    """A workspace, and the upper layer that a kernel's overlay would have left over it."""

    def __init__(self, root: Path) -> None:
        self.real, self.outside = root / "project", root / "outside"
        self.real.mkdir()
        self.outside.mkdir()
        self.shelf = Shelf(root / "changes")

    def begin(self) -> None:
        _let_the_clock_tick(self.real)
        self.upper = Path(self.shelf.open(Base(TASK, 1, "tidy up", str(self.real)))) / "upper"
        _let_the_clock_tick(self.real)

    def delete(self, name: str) -> None:
        """As the kernel marks what was deleted."""
        os.mknod(self.upper / name, stat.S_IFCHR, os.makedev(0, 0))

    def found(self) -> dict[str, tuple[str, str]]:
        """path → (kind, conflict)."""
        return {c.shown: (c.kind, c.conflict) for c in self.shelf.read(TASK).changes}

    def apply(self, *paths: str, risky: bool = False) -> ChangeSet:
        return self.shelf.apply(TASK, paths, risky=risky)


def _let_the_clock_tick(directory: Path) -> None:
    """Until a change of a file has a later time than one made before."""
    probe = directory.parent / "clock"
    probe.touch()
    first = probe.stat().st_ctime_ns
    deadline = time.monotonic() + 10
    while probe.stat().st_ctime_ns == first and time.monotonic() < deadline:
        probe.touch()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def _tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_added_modified_deleted_and_what_is_only_copied_up(kept: Kept) -> None:
    for name in ("edited", "gone", "touched", "script"):
        (kept.real / name).write_text("old\n")
    (kept.real / "folder").mkdir()
    (kept.real / "folder/inner").write_text("in\n")
    kept.begin()
    (kept.upper / "edited").write_text("new\n")
    (kept.upper / "touched").write_text("old\n")  # opened for writing, and left as it was
    (kept.upper / "script").write_text("old\n")
    (kept.upper / "script").chmod(0o755)
    kept.delete("gone")
    kept.delete("folder")
    (kept.upper / "fresh/deep").mkdir(parents=True)
    (kept.upper / "fresh/deep/file").write_text("hello\n")
    (kept.upper / "link").symlink_to("edited")
    assert kept.found() == {
        "edited": (Kind.MODIFIED, ""),
        "folder": (Kind.DELETED, ""),
        "fresh": (Kind.ADDED, ""),
        "fresh/deep": (Kind.ADDED, ""),
        "fresh/deep/file": (Kind.ADDED, ""),
        "gone": (Kind.DELETED, ""),
        "link": (Kind.ADDED, ""),
        "script": (Kind.MODIFIED, ""),
    }
    applied = kept.apply()
    assert len(applied.changes) == 8
    assert _tree(kept.real) == {
        "edited": "new\n", "fresh/deep/file": "hello\n", "script": "old\n", "touched": "old\n",
    }  # fmt: skip
    assert os.readlink(kept.real / "link") == "edited"
    assert os.access(kept.real / "script", os.X_OK)
    with pytest.raises(NotFound):
        kept.shelf.read(TASK)  # nothing is left of it
    assert kept.shelf.names() == []


def test_the_real_workspace_is_untouched_until_something_is_applied(kept: Kept) -> None:
    (kept.real / "a").write_text("old\n")
    kept.begin()
    (kept.upper / "a").write_text("new\n")
    (kept.upper / "b").write_text("new\n")
    before = _tree(kept.real)
    kept.shelf.diff(kept.shelf.read(TASK))
    assert _tree(kept.real) == before
    kept.shelf.drop(TASK)
    assert _tree(kept.real) == before
    with pytest.raises(NotFound):
        kept.shelf.read(TASK)


def test_some_are_applied_and_the_others_stay(kept: Kept) -> None:
    kept.begin()
    (kept.upper / "docs").mkdir()
    for name in ("docs/one", "docs/two", "other"):
        (kept.upper / name).write_text(name)
    kept.apply("docs/one")
    assert _tree(kept.real) == {"docs/one": "docs/one"}
    assert set(kept.found()) == {"docs/two", "other"}
    kept.apply("docs/")
    assert set(kept.found()) == {"other"}
    with pytest.raises(UsageError, match="docs"):
        kept.apply("docs")


def test_a_directory_made_anew_shows_nothing_of_the_old_one(kept: Kept) -> None:
    (kept.real / "build/deep").mkdir(parents=True)
    for name in ("build/old", "build/same", "build/deep/older"):
        (kept.real / name).write_text(name)
    kept.begin()
    (kept.upper / "build/deep").mkdir(parents=True)
    os.setxattr(kept.upper / "build", "user.overlay.opaque", b"y")
    (kept.upper / "build/same").write_text("build/same")
    (kept.upper / "build/new").write_text("new")
    assert kept.found() == {
        "build/deep/older": (Kind.DELETED, ""),
        "build/new": (Kind.ADDED, ""),
        "build/old": (Kind.DELETED, ""),
    }
    kept.apply()
    assert _tree(kept.real) == {"build/new": "new", "build/same": "build/same"}


def test_a_file_becomes_a_directory_and_a_directory_a_file(kept: Kept) -> None:
    (kept.real / "one").write_text("file")
    (kept.real / "two").mkdir()
    (kept.real / "two/inner").write_text("inner")
    kept.begin()
    (kept.upper / "one").mkdir()
    (kept.upper / "one/inner").write_text("now inside")
    (kept.upper / "two").write_text("now a file")
    kept.apply()
    assert _tree(kept.real) == {"one/inner": "now inside", "two": "now a file"}


def _edit(kept: Kept) -> None:
    (kept.upper / "file").write_text("the task's\n")


def _delete(kept: Kept) -> None:
    kept.delete("file")


@pytest.mark.parametrize("did", [_edit, _delete])
def test_what_the_person_changed_meanwhile_is_not_overwritten(
    kept: Kept, did: Callable[[Kept], None]
) -> None:
    (kept.real / "file").write_text("old\n")
    (kept.real / "calm").write_text("old\n")
    kept.begin()
    did(kept)
    (kept.upper / "calm").write_text("new\n")
    (kept.real / "file").write_text("the person's\n")
    os.utime(kept.real / "file", (0, 0))  # a time set back hides nothing
    assert "meanwhile" in kept.found()["file"][1]
    with pytest.raises(Denied, match="file changed in the real workspace meanwhile"):
        kept.apply()
    assert _tree(kept.real) == {"file": "the person's\n", "calm": "old\n"}, "all or nothing"
    kept.apply("calm")
    assert (kept.real / "calm").read_text() == "new\n"
    # Put aside, the person's version is in nobody's way.
    (kept.real / "file").rename(kept.real / "file.mine")
    if did is _edit:
        kept.apply()
        assert (kept.real / "file").read_text() == "the task's\n"
    assert (kept.real / "file.mine").read_text() == "the person's\n"


def test_a_deleted_directory_that_holds_new_work_stays(kept: Kept) -> None:
    (kept.real / "old/deep").mkdir(parents=True)
    (kept.real / "old/deep/file").write_text("x")
    kept.begin()
    kept.delete("old")
    (kept.real / "old/deep/mine").write_text("new work")
    with pytest.raises(Denied, match="old holds"):
        kept.apply()
    assert (kept.real / "old/deep/mine").read_text() == "new work"


def test_a_new_file_takes_the_place_of_no_other(kept: Kept) -> None:
    kept.begin()
    (kept.upper / "report").write_text("the task's")
    (kept.real / "report").write_text("the person's")
    with pytest.raises(Denied):
        kept.apply()
    assert (kept.real / "report").read_text() == "the person's"


def test_both_came_to_the_same(kept: Kept) -> None:
    (kept.real / "file").write_text("old")
    kept.begin()
    (kept.upper / "file").write_text("fixed")
    (kept.real / "file").write_text("fixed")
    assert kept.shelf.unrecorded(TASK) is None
    assert kept.shelf.names() == []


def test_links_lead_nothing_out_of_the_workspace(kept: Kept) -> None:
    """A link the task made, and one the real workspace has: neither is written through."""
    (kept.outside / "target").write_text("precious")
    (kept.real / "escape").symlink_to(kept.outside)
    kept.begin()
    (kept.upper / "planted").symlink_to(kept.outside)
    (kept.upper / "escape").mkdir()
    (kept.upper / "escape/target").write_text("overwritten")
    (kept.upper / "escape/new").write_text("planted")
    kept.apply(risky=True)
    assert _tree(kept.outside) == {"target": "precious"}
    assert _tree(kept.real / "escape") == {"target": "overwritten", "new": "planted"}


def test_a_directory_swapped_for_a_link_before_applying_leads_nowhere(kept: Kept) -> None:
    (kept.real / "src").mkdir()
    (kept.real / "src/a").write_text("old")
    kept.begin()
    (kept.upper / "src").mkdir()
    (kept.upper / "src/b").write_text("new")
    (kept.real / "src/a").unlink()
    (kept.real / "src").rmdir()
    (kept.real / "src").symlink_to(kept.outside)
    with pytest.raises(Denied):  # the link is newer than the task
        kept.apply()
    assert _tree(kept.outside) == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".git/hooks/pre-commit", "git runs it"),
        (".git/config", "git reads programs"),
        (".claude/settings.json", "decides what agents may do"),
        (".vscode/tasks.json", "runs without being called"),
        (".github/workflows/ci.yml", "secrets"),
        (".envrc", "runs by itself"),
        ("taskpass.toml", "decides what tasks may do"),
    ],
)
def test_what_runs_by_itself_wants_a_second_look(kept: Kept, name: str, why: str) -> None:
    kept.begin()
    (kept.upper / name).parent.mkdir(parents=True, exist_ok=True)
    (kept.upper / name).write_text("echo\n")
    (kept.upper / "plain").write_text("x")
    with pytest.raises(Denied, match=why):
        kept.apply()
    assert _tree(kept.real) == {}
    kept.apply("plain")
    kept.apply(risky=True)
    assert (kept.real / name).read_text() == "echo\n"


def test_setuid_is_not_carried_over_and_a_pipe_never_is(kept: Kept) -> None:
    kept.begin()
    (kept.upper / "tool").write_text("x")
    (kept.upper / "tool").chmod(0o6755)
    os.mkfifo(kept.upper / "pipe")
    with pytest.raises(Denied, match="pipe is no file"):
        kept.apply(risky=True)
    kept.apply("tool", risky=True)
    assert stat.S_IMODE((kept.real / "tool").stat().st_mode) == 0o755
    assert not (kept.real / "pipe").exists()


def test_diff_is_unified_and_what_is_no_text_is_said(kept: Kept) -> None:
    (kept.real / "text").write_text("one\ntwo\n")
    (kept.real / "gone").write_text("bye\n")
    kept.begin()
    (kept.upper / "text").write_text("one\n2")
    (kept.upper / "image").write_bytes(b"\x89PNG\0\xff")
    kept.delete("gone")
    diff = kept.shelf.diff(kept.shelf.read(TASK))
    assert "--- a/text\n+++ b/text\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline" in diff
    assert "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n" in diff
    assert "--- /dev/null\n+++ b/image\nNot a text.\n" in diff


def test_a_very_long_diff_is_cut_and_says_so(kept: Kept) -> None:
    kept.begin()
    for number in range(12):
        (kept.upper / f"{number:02}").write_text(("x" * 99 + "\n") * 5000)
    diff = kept.shelf.diff(kept.shelf.read(TASK))
    assert len(diff) < 6_000_000
    assert "more changes." in diff.splitlines()[-1]


def test_names_cannot_play_with_the_screen(kept: Kept) -> None:
    kept.begin()
    name = b"a\x1b[2J\n\xff"
    (Path(os.fsdecode(os.fsencode(kept.upper) + b"/" + name))).write_text("x")
    (shown,) = kept.found()
    assert shown == "a\\x1b[2J\\n\\xff"
    assert printable("naïve ✓") == "naïve ✓"
    kept.apply(shown)
    assert name in os.listdir(os.fsencode(kept.real))


def test_a_set_is_put_on_record_once_and_its_digest_tells_it_apart(kept: Kept) -> None:
    kept.begin()
    (kept.upper / "a").write_text("one")
    first = kept.shelf.unrecorded(TASK)
    assert first is not None
    assert (first.count(Kind.ADDED), first.size) == (1, 3)
    assert kept.shelf.unrecorded(TASK) == first, "until it is on record"
    kept.shelf.recorded(TASK)
    assert kept.shelf.unrecorded(TASK) is None
    (kept.upper / "a").write_text("two")
    assert kept.shelf.read(TASK).digest != first.digest


def test_a_layer_with_closed_directories_is_dropped_as_well(kept: Kept) -> None:
    kept.begin()
    (kept.upper.parent / "work/work").mkdir(mode=0)
    kept.shelf.drop(TASK)
    assert kept.shelf.names() == []
    assert not kept.upper.exists()


@pytest.mark.parametrize("name", ["../x", "t-../../etc", "/etc", "other"])
def test_a_task_names_no_other_place(kept: Kept, name: str) -> None:
    with pytest.raises((UsageError, NotFound)):
        kept.shelf.drop(name)


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", "b", False),
        ("a", "../b", True),
        ("d/a", "../b", False),
        ("d/a", "../../b", True),
        ("a", "/etc/passwd", True),
        ("d/a", "x/../../../b", True),
        ("d/a", "./../b/", False),
    ],
)
def test_links_that_lead_out(path: str, target: str, out: bool) -> None:
    assert leads_out(path, target) is out
