"""A new git work tree for a task, so that agents do not change the same files.

git runs here as the person. Nothing of the repository that an agent may have written runs with
it: hooks and file watchers are switched off.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.errors import UsageError

_LONGEST: Final = 40  # characters of a proposed branch's name
_SECONDS: Final = 60.0
_QUIET: Final = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")


@dataclass(frozen=True, slots=True)
class Worktree:
    """`cwd`: where in it the task starts, as deep as it was asked for."""

    repository: str
    path: str
    branch: str
    cwd: str


def proposed(purpose: str) -> str:
    """A branch name for a purpose: `agent/flaky-checkout`; "" for one without words."""
    words = re.findall(r"[a-z0-9]+", purpose.casefold())
    name = ""
    for word in words:
        if name and len(name) + 1 + len(word) > _LONGEST:
            break
        name = f"{name}-{word}" if name else word[:_LONGEST]
    return f"agent/{name}" if name else ""


async def add(directory: str, branch: str) -> Worktree:
    """Make `branch` from what is checked out around `directory`, in a work tree beside it.

    Raises:
        UsageError: there is no repository, no such name can be, or git would not.
    """
    if branch.startswith("-"):
        raise UsageError(f"“{branch}” is no branch name.", hint="Begin it with a letter.")
    top, common = await _repository(directory)
    home = Path(common).parent if Path(common).name == ".git" else Path(common)
    folder = branch.rpartition("/")[2]
    path = home.parent / f"{home.name}.worktrees" / folder
    await _git(top, "worktree", "add", "-b", branch, "--", str(path), "HEAD")
    return Worktree(str(home), str(path), branch, _as_deep(directory, top, path))


async def remove(made: Worktree) -> None:
    """Take back what `add` made, when no task came to be in it. Raises UsageError."""
    await _git(made.repository, "worktree", "remove", "--force", "--", made.path)
    await _git(made.repository, "branch", "-D", "--", made.branch)


def _as_deep(directory: str, top: str, path: Path) -> str:
    """The place in the work tree at `path` that `directory` is below `top`."""
    below = path / os.path.relpath(os.path.realpath(directory), os.path.realpath(top))
    return os.path.normpath(below) if below.is_dir() else str(path)


async def _repository(directory: str) -> tuple[str, str]:
    wanted = ("--path-format=absolute", "--show-toplevel", "--git-common-dir")
    code, said, _ = await _run(directory, "rev-parse", *wanted)
    if code:
        raise UsageError(
            f"There is no git repository around {directory}.",
            hint="Leave the branch empty, or choose a directory inside one.",
        )
    top, common = said.splitlines()[:2]
    return top, common


async def _git(directory: str, *words: str) -> None:
    code, _, problem = await _run(directory, *words)
    if code:
        said = problem.strip().splitlines() or [f"exit code {code}"]
        why = next((line for line in said if line.startswith(("fatal: ", "error: "))), said[-1])
        reason = why.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
        raise UsageError(
            f"git made no work tree: {reason}.", hint="Choose another branch, or leave it empty."
        )


async def _run(directory: str, *words: str) -> tuple[int, str, str]:
    """Exit code, output and error output. Raises UsageError: it did not run to its end."""
    try:
        git = await asyncio.create_subprocess_exec(
            "git", "-C", directory, *_QUIET, *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except OSError as error:
        hint = "Install it, or leave the branch empty."
        raise UsageError("git is not installed.", hint=hint) from error
    try:
        out, problem = await asyncio.wait_for(git.communicate(), _SECONDS)
    except TimeoutError:
        git.kill()
        await git.wait()
        raise UsageError(f"git did not end within {_SECONDS:.0f} s.", hint="Try again.") from None
    return git.returncode or 0, out.decode("utf-8", "replace"), problem.decode("utf-8", "replace")
