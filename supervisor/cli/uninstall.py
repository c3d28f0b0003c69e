"""`taskpass uninstall`: ends everything, puts back what was changed, removes our files."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

from supervisor.cli.setup_session import with_setup
from supervisor.client_setup import SetupClient
from supervisor.errors import Denied, IssuerFailed, TaskpassError, UsageError
from supervisor.paths import Paths, made_directories, user_paths
from supervisor.protocol.setup import Left
from supervisor.protocol.wire import OwedView, Snapshot

_PATIENCE = 15.0  # seconds for those who made credentials to confirm their end


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description="End all tasks, put back what taskpass changed, forget every credential, and "
        "remove its files: keys, certificate authority, history, configuration.",
    )
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument(
        "--keep-config", action="store_true", help="leave config.toml and your policies"
    )
    made.add_argument(
        "--leave-changed",
        action="store_true",
        help="go on where a file was changed since, and leave it as it is: what only the vault "
        "knows of it is lost",
    )
    made.add_argument(
        "--leave-live",
        action="store_true",
        help="go on where the end of a credential is not confirmed by who made it",
    )
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError("This terminal is inside a task.", hint="Use one outside every task.")
    paths = user_paths()
    for line in with_setup(_what_lives):
        print(line)
    keep_config = options.keep_config
    if not options.yes:
        _ask("\nEnd all this, undo what was changed and remove taskpass's files? Type yes: ")
        if not keep_config and _has_own(paths.config):
            answer = _answer(f"Remove your own settings and policies in {paths.config} too? [y/N] ")
            keep_config = answer.strip().lower() not in ("y", "yes")
    for line in _told(with_setup(lambda client: _leave(client, options))):
        print(line)
    for line in _removed(paths, keep_config=keep_config):
        print(line)
    print("What is left is the program itself: `uv tool uninstall taskpass`, or pipx, or pip.")
    return 0


async def _what_lives(client: SetupClient) -> list[str]:
    """Tasks, leases, credentials and changes, before anything is asked."""
    now = await client.snapshot()
    lines = [*_tasks(now), *_leases(now), *map(_owed, now.owed)]
    names = [view.name for view in await client.credentials()]
    if names:
        lines.append(f"credentials that are forgotten: {', '.join(names)}")
    lines += [f"undone: {entry.what}" for entry in await client.undoable()]
    return lines or ["No task runs, nothing is lent, nothing is to be undone."]


def _tasks(now: Snapshot) -> list[str]:
    return [f"running: task {t.number} {t.purpose}" for t in now.tasks if not t.ended]


def _leases(now: Snapshot) -> list[str]:
    grants = {grant.id: grant for grant in now.grants}
    told = []
    for lease in now.leases:
        grant = grants.get(lease.grant)
        if grant is not None:
            dies = f"{grant.kill_mode}, within {grant.kill_bound:g} s"
            told.append(f"live lease: {lease.id} {grant.credential} at {grant.resource} ({dies})")
    return told


def _owed(owed: OwedView) -> str:
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(owed.until))
    why = f"; {owed.problem}" if owed.problem else ""
    about = f"{owed.state}, until {until}{why}"
    return f"not known to be dead: {owed.credential} of {owed.issuer} ({about})"


async def _leave(client: SetupClient, options: argparse.Namespace) -> Left:
    """End everything and put everything back; then the supervisor is gone.

    Raises:
        Denied: work waits to be reviewed, or a file was changed since.
        IssuerFailed: a credential may still be used, and nobody would try again to end it.
    """
    if waiting := await client.changes():
        raise Denied(
            f"What {len(waiting)} tasks changed in overlays would be lost.",
            hint="Apply or drop it first: taskpass changes.",
        )
    await client.revoke_all()
    await client.all_ended()
    live = await client.not_dead(0.0 if options.leave_live else _PATIENCE)
    for owed in live:
        print(_owed(owed), file=sys.stderr)
    if live and not options.leave_live:
        raise IssuerFailed(
            f"{len(live)} credentials are not confirmed dead; nothing was removed.",
            hint="Try again later, or end them at the provider and add --leave-live.",
        )
    left = await client.leave(leave_changed=options.leave_changed)
    await client.stop()
    return left


def _told(left: Left) -> list[str]:
    return [
        *(f"undone: {what}" for what in left.undone),
        *(f"forgotten: {name}" for name in left.credentials),
        *(f"left as it is: {why}" for why in left.changed),
    ]


def _removed(paths: Paths, *, keep_config: bool) -> list[str]:
    """Remove our directories, and those above them that we made."""
    made = made_directories(paths)
    own = [path for path in paths.all() if not (keep_config and path == paths.config)]
    lines = []
    for path in own:
        try:
            shutil.rmtree(path)
            lines.append(f"removed: {path}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise TaskpassError(
                f"{path} cannot be removed: {error.strerror}.", hint="Remove it by hand."
            ) from error
    for folder in made:
        with contextlib.suppress(OSError):  # somebody else uses it by now
            os.rmdir(folder)
    if keep_config:
        lines.append(f"left: {paths.config}")
    return lines


def _has_own(config: Path) -> bool:
    return any(path.is_file() for path in config.rglob("*"))


def _ask(question: str) -> None:
    if _answer(question).strip().lower() != "yes":
        raise UsageError("Nothing was changed.")


def _answer(question: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked here.", hint="Add --yes, or use a terminal.")
    try:
        return input(question)
    except EOFError:
        return ""
