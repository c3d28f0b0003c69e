"""The first run, and `taskpass setup`: what lies about here, and one key that brokers it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiles import all_profiles
from profiles.manifest import Manifest
from supervisor import places
from supervisor.cli.brokering import broker
from supervisor.cli.found_rows import rank, rows
from supervisor.client_setup import SetupClient
from supervisor.config import Config, load_user_config
from supervisor.discovery import Found, Place, discover
from supervisor.discovery.exposure import view_of
from supervisor.discovery.models import logged_in
from supervisor.doctor.install import which
from supervisor.errors import TaskpassError, UsageError
from supervisor.identity.evidence import repository_of
from supervisor.model import Tier
from supervisor.paths import replace_file, user_paths
from supervisor.process.probe import probe
from supervisor.vault import specs, standing
from tui import settings
from tui.first_run import Choice, FirstRunApp, Sheet, Told

_TIERS = {
    Tier.A: "tier A: what a task must not reach is not there for it",
    Tier.B: "tier B: what a task must not reach is refused to it",
    Tier.UNCONTAINED: "uncontained: an agent can read and do what you can",
}


def parser(command: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description="Show which log-ins an agent could use here, and lend those you choose.",
    )


def main(command: str, words: list[str]) -> int:
    """`taskpass setup`."""
    parser(command).parse_args(words)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "`taskpass setup` asks in a terminal, and there is none here.",
            hint="`taskpass credential add` lends one credential without a screen.",
        )
    return 0 if offer_first(os.getcwd()) else 130


def offer_first(cwd: str, argv: Sequence[str] = ()) -> bool:
    """Show the screen, do what the person chooses, and remember that it was shown.

    Args:
        argv: of the agent that is about to run, if one is.

    Returns:
        Whether to go on with what was asked for; False when the person left.
    """
    while True:
        found = survey(cwd, argv)
        app = FirstRunApp(found.sheet, found.broker, look=settings.load().theme)
        choice = app.run()
        if choice is not Choice.DEMO:
            break
        from supervisor.cli import demo

        demo.main("demo", [])
    for told in app.told:
        print(f"taskpass: {told.words}", file=sys.stderr)
    if choice not in (Choice.BROKER, Choice.SKIP):
        return False
    if app.told and not any(told.good for told in app.told):
        return True  # nothing came of it: it is asked again
    user_paths()
    replace_file(Path(places.setup_markers()[0]), f"{choice}\n".encode())
    return True


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, as the screen shows it, and how rows are brokered."""

    workspace: str
    found: tuple[Found, ...]
    sheet: Sheet

    async def broker(self, rows: Sequence[int]) -> list[Told]:
        client = SetupClient()
        try:
            await client.connect()
            chosen = [self.found[number] for number in rows]
            return [await _told(client, each, self.workspace) for each in chosen]
        except TaskpassError as error:
            return [Told(False, str(error))]
        finally:
            await client.close()


async def _told(client: SetupClient, found: Found, workspace: str) -> Told:
    try:
        return Told(True, await broker(client, found, workspace))
    except TaskpassError as error:
        return Told(False, str(error))


def survey(cwd: str, argv: Sequence[str]) -> Survey:
    """Look around; nothing is asked of anybody, and nothing is changed."""
    workspace = repository_of(cwd)[0] or cwd
    place = Place(os.path.expanduser("~"), workspace, dict(os.environ), _stands_in())
    config = _config()
    tier = probe(best=Tier(config.tier or Tier.A)).tier
    if config.contain == "off":
        tier = Tier.UNCONTAINED
    let_in = (*config.show, *config.write)
    view = view_of(place, tier, config.contain, let_in, config.deny_read)
    found = tuple(sorted(discover(place), key=lambda each: rank(each, view)))
    now = time.time()
    sheet = Sheet(
        agents=tuple(_agents(place, argv)),
        containment=_TIERS[tier],
        contained=tier.contained,
        rows=tuple(rows(found, view, place, now)),
    )
    return Survey(place.workspace, found, sheet)


def _stands_in() -> Callable[[str], str]:
    """Which texts of files are stand-ins of ours already, as the list of credentials says."""
    try:
        known = standing.digests(specs.load(Path(places.state(), "credentials.toml")).values())
    except TaskpassError:
        known = {}
    return lambda text: known.get(standing.digest(text), "") if known else ""


def _config() -> Config:
    try:
        return load_user_config(Path(places.config(), "config.toml"))
    except TaskpassError:
        return Config()  # told by whoever needs it


def _agents(place: Place, argv: Sequence[str]) -> list[str]:
    """Each known agent that is installed, and the one that is about to run."""
    path = place.environ.get("PATH", os.defpath)
    told = []
    for profile in all_profiles():
        known = getattr(profile, "manifest", None)
        if not (isinstance(known, Manifest) and known.offered):
            continue
        program = which(known.programs, path)
        if argv and profile.matches(argv):
            program = os.path.realpath(shutil.which(argv[0], path=path) or program)
        if not program:
            continue
        login = logged_in(place, known.name, known.model_secrets)
        words = f"{login}: its own log-in stays its own" if login else "not logged in"
        told.append(f"{known.title} {profile.version(program)} ({words})")
    return told
