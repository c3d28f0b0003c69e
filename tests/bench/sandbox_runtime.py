"""The npm sandbox runtime that containment is measured against, with all that it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.agents import NODE, Package, cache_dir, install
from tests.support.bwrap import find_bwrap

PACKAGE = Package("sandbox-runtime", "@anthropic-ai/sandbox-runtime", "0.0.78")
# It starts these; a machine may have them, else the distribution's packages are unpacked.
_PROGRAMS = ("socat", "rg")
_DISTRIBUTED = ("socat", "libwrap0", "ripgrep")


@dataclass(frozen=True)
class SandboxRuntime:
    """`argv` starts what follows it in a sandbox, with `environ`."""

    argv: tuple[str, ...]
    environ: dict[str, str]


def provide(folder: Path) -> None:
    """Put it into `folder`, so that whoever may read that can run it."""
    folder.mkdir()
    shutil.copytree(install(PACKAGE) / "node_modules", folder / "node_modules", symlinks=True)
    shutil.copy(install(NODE) / "node_modules/node/bin/node", folder / "node")
    tools = folder / "tools"
    if all(map(shutil.which, _PROGRAMS)):
        tools.mkdir()
    else:
        shutil.copytree(_unpacked(), tools, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)


def provided(folder: Path, temporary: Path) -> SandboxRuntime:
    """What `provide` has put into `folder`; its sockets, named by pid, go below `temporary`."""
    tools = folder / "tools/usr"
    libraries = ":".join(str(path) for path in (tools / "lib").glob("*-linux-gnu"))
    return SandboxRuntime(
        (str(folder / "node"), str(folder / "node_modules/.bin/srt")),
        {
            "PATH": f"{tools / 'bin'}:{Path(find_bwrap()).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": os.environ["HOME"],
            "LD_LIBRARY_PATH": libraries,
            "TMPDIR": str(temporary),
        },
    )


def _unpacked() -> Path:
    root = cache_dir() / "sandbox-runtime-tools"
    if not root.exists():
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        subprocess.run(
            ["apt-get", "download", *_DISTRIBUTED], cwd=partial, check=True, capture_output=True
        )
        for package in partial.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(partial)], check=True)
        partial.rename(root)
    return root
