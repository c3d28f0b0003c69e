"""Agents that are JavaScript packages: what must be visible for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from profiles.files import install_dir
from supervisor.errors import LaunchFailed
from supervisor.ports import Mount


def runtime(environ: Mapping[str, str], title: str) -> str:
    """The real path of `node`, as the program's first line finds it.

    Raises:
        LaunchFailed: there is none.
    """
    found = shutil.which("node", path=environ.get("PATH", os.defpath))
    if not found:
        raise LaunchFailed(
            f"{title} runs on Node, and there is no node in PATH.",
            hint="Install Node, or put its directory into PATH.",
        )
    return os.path.realpath(found)


def mounts(executable: str, node: str, home: str) -> tuple[Mount, ...]:
    """The package with all that it requires, and the runtime, where they are not the system's."""
    real = os.path.realpath(executable)
    found = [Mount(packages(real)) if packages(real) else install_dir(real, home)]
    if real != executable:
        found.append(install_dir(executable, home))
    found.append(install_dir(node, home))
    return tuple(dict.fromkeys(found))


def packages(path: str) -> str:
    """The outermost `node_modules` that holds `path`, where its dependencies are; "" for none."""
    parts = Path(path).parts
    if "node_modules" not in parts:
        return ""
    return str(Path(*parts[: parts.index("node_modules") + 1]))
