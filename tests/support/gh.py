"""gh for tests: the machine's, else the distribution's package, unpacked without root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.agents import cache_dir, locked, run_or_fail
from tests.support.live import Install


def find_gh() -> str:
    """Path of a gh."""
    if found := shutil.which("gh"):
        return found
    target = cache_dir() / "gh"
    with locked("gh"):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            run_or_fail(["apt-get", "download", "gh"], cwd=partial)
            (package,) = partial.glob("gh_*.deb")
            subprocess.run(["dpkg", "-x", str(package), str(partial / "root")], check=True)
            package.unlink()
            partial.rename(target)
    return str(target / "root/usr/bin/gh")


def put_on_path(install: Install) -> str:
    """Have gh on the person's PATH; the directory, for `--show` to let tasks see it."""
    folder = install.home / "tools"
    folder.mkdir()
    (folder / "gh").write_bytes(Path(find_gh()).read_bytes())
    (folder / "gh").chmod(0o755)
    install.environ["PATH"] = f"{folder}:{install.environ['PATH']}"
    return str(folder)
