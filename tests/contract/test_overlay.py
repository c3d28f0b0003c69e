"""A task on an overlay, as its holder runs it: under every account."""

from __future__ import annotations

import os

import pytest

from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)

FILES = {"edited": "old\n", "gone": "old\n", "folder/inner": "inner\n", "a:b,c": "x\n"}
SCRIPT = """
set -e
[ "$(cat edited)" = old ]; echo new > edited; rm gone; mv folder moved; mkdir made
echo hello > made/file; printf 'y\\n' >> a:b,c; [ "$(cat edited)" = new ]; [ ! -e gone ]
"""
AFTER = {"edited": "new\n", "moved/inner": "inner\n", "made/file": "hello\n", "a:b,c": "x\ny\n"}


def test_changes_are_seen_inside_and_not_outside_until_they_are_applied(drive: Drive) -> None:
    found = drive("overlay", script=SCRIPT, files=FILES)
    assert found["exit_code"] == 0, found["output"]
    assert found["untouched"] == FILES
    assert found["changes"] == [
        "modified a:b,c", "modified edited", "deleted folder", "deleted gone", "added made",
        "added made/file", "added moved", "added moved/inner",
    ]  # fmt: skip
    assert found["after"] == AFTER
    assert found["left"] == []


def test_dropped_changes_leave_the_workspace_as_it_was(drive: Drive) -> None:
    found = drive("overlay", script=SCRIPT, files=FILES, apply=False)
    assert found["after"] == FILES
    assert found["left"] == []


# What the marks of an overlay mean is the kernel's; a task that could set them itself could have
# us delete what it never could, or hide what it did.
_FORGED = """
import os, stat
def tried(name, *words):
    try: getattr(os, name)(*words); print(name, "done")
    except OSError as error: print(name, error.strerror)
os.mkdir("made")
tried("mknod", "edited2", stat.S_IFCHR | 0o600, os.makedev(0, 0))
tried("setxattr", "folder", "user.overlay.opaque", b"y")
tried("setxattr", "folder", "trusted.overlay.opaque", b"y")
tried("setxattr", "made", "user.overlay.redirect", b"/etc")
tried("setxattr", "edited", "user.overlay.metacopy", b"")
"""


def test_the_marks_of_an_overlay_cannot_be_forged_from_inside(
    drive: Drive, account: Account
) -> None:
    python = os.path.realpath(account.python)
    found = drive("overlay", script=f"{python} -c '{_FORGED}'", files=FILES)
    assert found["exit_code"] == 0, found["output"]
    assert "mknod done" not in found["output"]
    assert found["changes"] == ["added made"]
    assert found["after"] == FILES


@pytest.mark.parametrize("link", ["/etc", "..", "../../.."])
def test_links_made_inside_lead_no_change_outside(drive: Drive, link: str) -> None:
    script = f"rm -rf folder; ln -s {link} folder; ln -s {link} sly; echo x > edited"
    found = drive("overlay", script=script, files=FILES)
    assert found["exit_code"] == 0, found["output"]
    assert found["after"] == {"a:b,c": "x\n", "edited": "x\n", "gone": "old\n"}


def test_what_lies_under_the_overlay_is_out_of_reach(drive: Drive) -> None:
    script = "ls ..; ls ../shelf ../skeleton; cat /proc/self/mountinfo; echo x > edited"
    found = drive("overlay", script=script, files=FILES, apply=False)
    assert found["output"].count("No such file") == 2
    assert "shelf" not in [line for line in found["output"].splitlines() if "cannot" not in line]
    assert found["after"] == FILES


def test_a_guarded_place_stays_guarded_on_an_overlay(drive: Drive) -> None:
    files = FILES | {".git/config": "mine\n", ".git/hooks/x": "mine\n"}
    script = "echo x > .git/config || echo refused; echo x > .git/hooks/y || echo refused; "
    found = drive(
        "overlay", script=script + "echo y > .git/HEAD", files=files,
        guarded=[".git/config", ".git/hooks"],
    )  # fmt: skip
    assert found["output"].count("refused") == 2
    assert found["changes"] == ["added .git/HEAD"]


def test_an_overlay_that_cannot_be_had_starts_nothing(drive: Drive) -> None:
    found = drive("no_overlay")
    assert found["code"] == "launch_failed"
    assert "no overlay to be had" in found["message"]
    assert found["left"] == []
