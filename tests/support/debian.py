"""Programs of the distribution: the machine's, else its packages, unpacked without root."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass

from tests.support.agents import cache_dir, locked, run_or_fail


@dataclass(frozen=True, slots=True)
class Program:
    """Where a program is, what stands for `/` there, and what it needs in its environment."""

    path: str
    root: str
    environ: dict[str, str]


def find_program(name: str, *packages: str) -> Program:
    """The program `name`, from these packages where the machine does not have it.

    `packages` names those that carry it and what a small installation lacks of their needs.
    """
    if found := shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"):
        return Program(found, "", {})
    target = cache_dir() / f"debian-{name}"
    with locked(target.name):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            run_or_fail(["apt-get", "download", *packages], cwd=partial)
            for package in partial.glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(partial / "root")], check=True)
                package.unlink()
            partial.rename(target)
    root = target / "root"
    where = os.pathsep.join(str(root / folder) for folder in ("usr/bin", "bin", "usr/sbin"))
    path = shutil.which(name, path=where)
    assert path is not None, f"none of {', '.join(packages)} has {name}"
    libraries = (f"{root}/{at}/{platform.machine()}-linux-gnu" for at in ("usr/lib", "lib"))
    return Program(path, str(root), {"LD_LIBRARY_PATH": os.pathsep.join(libraries)})
