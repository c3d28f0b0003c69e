"""What the benchmarks share: a live install of their own, its ledger, and the last line."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import trustme
import uvloop

from tests.support.bwrap import find_bwrap
from tests.support.live import Install

SOURCE = Path(__file__).parents[2]


@contextlib.contextmanager
def installed() -> Iterator[Install]:
    """An empty install with a home of its own; its supervisor ends with the block.

    This process is a client of it too: its environment is the install's from here on.
    """
    root = Path(tempfile.mkdtemp(prefix="tp-bench-"))
    root.chmod(0o755)
    for name in ("home/project", "run"):
        (root / name).mkdir(parents=True)
    (root / "run").chmod(0o700)
    environ = {
        "HOME": str(root / "home"),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "PATH": f"{Path(find_bwrap()).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(SOURCE),
    }
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TASKPASS_TASK", "CI"):
        os.environ.pop(name, None)
    os.environ.update(environ)
    install = Install(root, environ)
    try:
        yield install
    except BaseException:
        with contextlib.suppress(OSError):
            print((install.paths.state / "daemon.log").read_text()[-4000:])
        raise
    finally:
        install.stop()
        shutil.rmtree(root, ignore_errors=True)


def python_inside(install: Install) -> list[str]:
    """The command of a Python that tasks see, with `load.py` and uvloop in the project.

    A Python of the system is mounted in every container; another one is copied.
    """
    project = install.project
    shutil.copy(SOURCE / "tests" / "bench" / "load.py", project)
    shutil.copytree(Path(uvloop.__file__).parent, project / "uvloop", dirs_exist_ok=True)
    name = f"bin/python3.{sys.version_info.minor}"
    if sys.base_prefix.startswith(("/usr", "/opt")):
        return [f"{sys.base_prefix}/{name}"]
    leave = shutil.ignore_patterns("test", "site-packages", "__pycache__", "config-*", "idlelib")
    copied = project / "python"
    if not copied.exists():
        for part in (name, "lib"):
            source, target = Path(sys.base_prefix, part), copied / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=leave, symlinks=True)
            else:
                shutil.copy(source, target)
    return ["/usr/bin/env", f"LD_LIBRARY_PATH={copied / 'lib'}", str(copied / name)]


def lend(install: Install, secret: str, host: str, authority: trustme.CA) -> None:
    """Keep `secret` for `host`; tasks find its stand-in in `BENCH_TOKEN`."""
    roots = install.root / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\n')
    added = install.cli(
        "credential", "add", "bench", "--host", host, "--env", "BENCH_TOKEN", stdin=secret + "\n"
    )
    if added.returncode:
        raise SystemExit(added.stderr)


def report_rows(install: Install, before: int = 0) -> int:
    """Print how many records there are since `before`; none means that nothing was measured."""
    made = ledger_head(install) - before
    print(f"ledger rows made meanwhile: {made}")
    if made <= 0:
        raise SystemExit("no ledger rows: this measured nothing")
    return made


def ledger_head(install: Install) -> int:
    """Number of the newest record."""
    done = install.cli("history", "--json", "-n", "1")
    if done.returncode:
        raise SystemExit(done.stderr)
    lines = done.stdout.splitlines()
    return int(json.loads(lines[-1])["seq"]) if lines else 0


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank, so that it is one of the values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def summary(values: Sequence[float]) -> str:
    """Milliseconds in words; `values` in seconds."""
    return (
        f"best {min(values) * 1e3:.2f} ms, p50 {statistics.median(values) * 1e3:.2f} ms, "
        f"p99 {percentile(values, 99) * 1e3:.2f} ms of {len(values)}"
    )


def last_line(bench: str, figures: Mapping[str, float], against: Mapping[str, str]) -> None:
    """The one line that machines read."""
    versions = {"taskpass": version("taskpass"), "python": platform.python_version(), **against}
    rounded = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps({"bench": bench, "figures": rounded, "against": versions}))
