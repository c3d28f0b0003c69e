"""Landlock by every version of its interface: what is opened is open, and the rest is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.process import landlock

# In a process of its own, which is restricted for good. An older kernel is played by asking this
# one for no more than it knew.
_INSIDE = """
import json, os, socket, sys
from supervisor.process import landlock, linux
from supervisor.process.landlock import Access, Rule
base, version = sys.argv[1], int(sys.argv[2])
known = min(version, landlock.abi())
landlock.abi = lambda: known
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
landlock.restrict([
    Rule(base + "/open", Access.WRITE), Rule(base + "/seen", Access.READ),
    Rule(base + "/listed", Access.LIST), Rule(base + "/missing", Access.WRITE),
    Rule(base + "/link", Access.READ), Rule(base + "/one", Access.READ),
])
def came(function):
    try:
        function()
        return "open"
    except OSError as error:
        return error.strerror
def bound():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
def signalled():
    os.kill(os.getppid(), 0)
print(json.dumps({
    "write": came(lambda: open(base + "/open/new", "w").write("x")),
    "make": came(lambda: os.mkdir(base + "/open/folder")),
    "move": came(lambda: os.rename(base + "/open/new", base + "/open/folder/new")),
    "read": came(lambda: open(base + "/seen/file").read()),
    "change": came(lambda: open(base + "/seen/file", "a")),
    "plant": came(lambda: open(base + "/seen/new", "w")),
    "list": came(lambda: os.listdir(base + "/listed")),
    "read listed": came(lambda: open(base + "/listed/file").read()),
    "one file": came(lambda: open(base + "/one").read()),
    "by link": came(lambda: open(base + "/secret").read()),
    "closed": came(lambda: os.listdir(base)),
    "truncate": came(lambda: os.truncate(base + "/secret", 0)),
    "bind": came(bound),
    "signal": came(signalled),
}))
"""
DENIED = "Permission denied"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for folder in ("open", "seen", "listed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("text")
    for name in ("one", "secret"):
        (tmp_path / name).write_text("text")
    (tmp_path / "link").symlink_to("secret")
    return tmp_path


@pytest.mark.parametrize("version", range(1, 8))
def test_rules_by_version(base: Path, version: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INSIDE, str(base), str(version)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    came = json.loads(done.stdout)
    version = min(version, landlock.abi())
    for name in ("write", "make", "read", "list", "one file"):
        assert came[name] == "open", name
    for name in ("change", "plant", "read listed", "by link", "closed"):
        assert came[name] == DENIED, name
    assert came["move"] == ("open" if version >= 2 else "Invalid cross-device link")
    assert came["truncate"] == (DENIED if version >= 3 else "open")
    assert came["bind"] == (DENIED if version >= 4 else "open")
    assert came["signal"] == ("Operation not permitted" if version >= 6 else "open")
