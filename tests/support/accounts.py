"""Accounts to run as: this one, and where we are root an unprivileged one besides.

An unprivileged account may not be able to read the interpreter, the virtual environment or the
clone (a root home is 0700), so it gets copies in a directory that everybody may read.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import supervisor

Drive = Callable[..., dict[str, Any]]  # run a scenario of `task_driver` with these settings

_PACKAGES = ("supervisor", "tui", "profiles", "tests")
_NEEDED = (
    "msgspec", "platformdirs", "pyghostty", "cffi", "pycparser", "rich", "tree_sitter",
    "tree_sitter_bash",
)  # fmt: skip


@dataclass(frozen=True)
class Account:
    """Somebody to run the driver as."""

    name: str
    uid: int
    home: Path
    python: str  # an interpreter it may run, with `supervisor` importable under -I
    prefix: str  # of that interpreter's installation, for mounts

    def become(self) -> dict[str, Any]:
        """Arguments of `subprocess.run` that make the child this account's."""
        return {} if self.uid == os.geteuid() else _as_user(self.uid)


def _as_user(uid: int) -> dict[str, Any]:
    return {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}


def this_account() -> Account:
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, Path(entry.pw_dir), sys.executable, sys.base_prefix)


def unprivileged_account() -> Iterator[Account]:
    """Make an account, yield it, remove it. Only root can."""
    with somebody_new() as entry, tempfile.TemporaryDirectory(prefix="taskpass-public-") as base:
        os.chmod(base, 0o755)
        python, prefix = _public_python(Path(base), entry.pw_uid)
        yield Account(entry.pw_name, entry.pw_uid, Path(entry.pw_dir), python, prefix)


@contextlib.contextmanager
def somebody_new() -> Iterator[pwd.struct_passwd]:
    """An account with nothing but a home, for a while. Only root can."""
    name = f"taskpass-t{os.getpid()}-{secrets.token_hex(2)}"
    roots = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # a person's own has no sbin
    add = ["useradd", "--create-home", "--shell", "/bin/sh", name]
    subprocess.run(add, check=True, env=roots)
    try:
        yield pwd.getpwnam(name)
    finally:
        remove = ["userdel", "--remove", name]
        subprocess.run(remove, check=False, capture_output=True, env=roots)


@contextlib.contextmanager
def whole_install() -> Iterator[Account]:
    """An unprivileged account that has all of the project installed, tests included.

    Its interpreter's directory holds `taskpass`, as an install of a person's own would.
    """
    with contextlib.contextmanager(unprivileged_account)() as account:
        venv = Path(account.python).parents[1]
        target = next(venv.glob("lib/python*/site-packages"))
        root = Path(supervisor.__file__).parents[1]
        shutil.rmtree(target)
        # Links to the clone would not be readable; what only checks the project is large.
        leave = shutil.ignore_patterns("*.pth", "mypy*", "*__mypyc*", "ruff*", "grimp*")
        shutil.copytree(sysconfig.get_path("purelib"), target, ignore=leave, symlinks=True)
        for package in _PACKAGES:
            shutil.copytree(root / package, target / package)
        subprocess.run(
            [account.python, "-m", "compileall", "-q", *(target / p for p in _PACKAGES)],
            check=False,  # a test's file may be broken on purpose
            stdout=subprocess.DEVNULL,
        )
        script = venv / "bin" / "taskpass"
        script.write_text(
            f"#!{account.python}\nimport sys\nfrom supervisor.cli.main import main\n"
            "sys.exit(main())\n"
        )
        script.chmod(0o755)
        subprocess.run(["chmod", "-R", "a+rX", str(venv)], check=True)
        yield account


def _public_python(base: Path, uid: int) -> tuple[str, str]:
    """A virtual environment that `uid` can run, holding copies of what the driver imports."""
    interpreter = _readable_interpreter(base, uid)
    venv = base / "venv"
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(venv)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = venv / "lib" / version / "site-packages"
    shutil.copytree(Path(supervisor.__file__).parent, target / "supervisor")
    installed = Path(sysconfig.get_path("purelib"))
    for package in _NEEDED:
        shutil.copytree(installed / package, target / package)
    for library in installed.glob("_cffi_backend*"):
        shutil.copy(library, target)
    subprocess.run(["chmod", "-R", "a+rX", str(base)], check=True)
    return str(venv / "bin" / "python"), str(Path(interpreter).parent.parent)


def _readable_interpreter(base: Path, uid: int) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    real = str(Path(sys.executable).resolve())
    for candidate in (real, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            command = [candidate, "-c", "import venv"]
            subprocess.run(command, capture_output=True, check=True, cwd="/", **_as_user(uid))
            return candidate
    directory = base / "python"
    subprocess.run(
        ["uv", "python", "install", version, "--no-bin", "--install-dir", str(directory)],
        check=True,
    )
    subprocess.run(["chmod", "-R", "a+rX", str(base)], check=True)
    return str(next(directory.glob(f"*/bin/python{version}")))
