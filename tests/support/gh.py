"""gh for tests: the machine's, else the distribution's package unpacked without root."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.live import Install


def find_gh() -> str:
    """Path of a gh that every account may execute."""
    if installed := shutil.which("gh"):
        return installed
    cache = Path(tempfile.gettempdir()) / "taskpass-test-gh"
    cache.mkdir(mode=0o755, exist_ok=True)
    unpacked = cache / "root/usr/bin/gh"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            subprocess.run(["apt-get", "download", "gh"], cwd=cache, check=True)
            package = next(cache.glob("gh_*.deb"))
            partial = cache / "partial"
            subprocess.run(["dpkg", "-x", str(package), str(partial)], check=True)
            partial.rename(cache / "root")
    return str(unpacked)


def put_on_path(install: Install) -> str:
    """Have gh on the person's PATH; the directory, for `--show` to let tasks see it."""
    folder = install.home / "tools"
    folder.mkdir()
    (folder / "gh").write_bytes(Path(find_gh()).read_bytes())
    (folder / "gh").chmod(0o755)
    install.environ["PATH"] = f"{folder}:{install.environ['PATH']}"
    return str(folder)
