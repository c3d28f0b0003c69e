"""The first run, and `taskpass setup`: what lies about here, and one key that brokers it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiles import all_profiles
from profiles.manifest import Manifest
from supervisor import places
from supervisor.client_setup import SetupClient
from supervisor.config import Config, load_user_config
from supervisor.discovery import Found, Place, Way, discover
from supervisor.discovery.exposure import View, readable, view_of
from supervisor.discovery.models import logged_in
from supervisor.discovery.offers import Offer, offer
from supervisor.errors import TaskpassError, UsageError
from supervisor.identity.evidence import repository_of
from supervisor.model import Tier
from supervisor.paths import replace_file, user_paths
from supervisor.process.containment import within
from supervisor.process.probe import probe
from supervisor.vault import references, specs, standing
from supervisor.wire import AddCredential
from supervisor.wire_imports import PlanImport
from supervisor.wire_setup import RecordUndo
from tui.first_run import Choice, FirstRunApp, Row, Sheet, Told

_DAY = 86400.0
_TIERS = {
    Tier.A: "tier A: what a task must not reach is not there for it",
    Tier.B: "tier B: what a task must not reach is refused to it",
    Tier.UNCONTAINED: "uncontained: an agent can read and do what you can",
}
_HIDDEN = {Tier.A: "hidden in tier A", Tier.B: "closed in tier B"}


def main(command: str, words: list[str]) -> int:
    """`taskpass setup`."""
    parser = argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description="Show which log-ins an agent could use here, and lend those you choose.",
    )
    parser.parse_args(words)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "`taskpass setup` asks in a terminal, and there is none here.",
            hint="`taskpass credential add` lends one credential without a screen.",
        )
    return 0 if offer_first(os.getcwd()) else 130


def offer_first(cwd: str) -> bool:
    """Show the screen, do what the person chooses, and remember that it was shown.

    Returns:
        Whether to go on with what was asked for; False when the person left.
    """
    while True:
        survey = _survey(cwd)
        app = FirstRunApp(survey.sheet, survey.broker)
        choice = app.run()
        if choice is not Choice.DEMO:
            break
        from supervisor.cli import demo

        demo.main("demo", [])
    for told in app.told:
        print(f"taskpass: {told.words}", file=sys.stderr)
    if choice not in (Choice.BROKER, Choice.SKIP):
        return False
    user_paths()
    replace_file(Path(places.setup_markers()[0]), f"{choice}\n".encode())
    return True


@dataclass(frozen=True, slots=True)
class _Survey:
    """What was found, as the screen shows it, and how rows are brokered."""

    workspace: str
    found: tuple[Found, ...]
    sheet: Sheet

    async def broker(self, rows: Sequence[int]) -> list[Told]:
        client = SetupClient()
        try:
            await client.connect()
            chosen = [self.found[number] for number in rows]
            return [await _brokered(client, each, self.workspace) for each in chosen]
        except TaskpassError as error:
            return [Told(False, str(error))]
        finally:
            await client.close()


def _survey(cwd: str) -> _Survey:
    workspace = repository_of(cwd)[0] or cwd
    place = Place(os.path.expanduser("~"), workspace, dict(os.environ), _stands_in())
    config = _config()
    tier = probe(best=Tier(config.tier or Tier.A)).tier
    if config.contain == "off":
        tier = Tier.UNCONTAINED
    let_in = (*config.show, *config.write)
    view = view_of(place, tier, config.contain, let_in, config.deny_read)
    found = tuple(sorted(discover(place), key=lambda each: _rank(each, view)))
    now = time.time()
    sheet = Sheet(
        agents=tuple(_agents(place)),
        containment=_TIERS[tier],
        contained=tier.contained,
        rows=tuple(_row(each, view, place, now) for each in found),
    )
    return _Survey(place.workspace, found, sheet)


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


def _agents(place: Place) -> list[str]:
    path = place.environ.get("PATH", os.defpath)
    told = []
    for profile in all_profiles():
        known = getattr(profile, "manifest", None)
        if not (isinstance(known, Manifest) and known.status == "supported" and known.tested):
            continue
        from supervisor.doctor.install import which

        program = which(known.programs, path)
        if not program:
            continue
        login = logged_in(place, known.name, known.model_secrets)
        words = f"{login}: its own log-in stays its own" if login else "not logged in"
        told.append(f"{known.title} {profile.version(program)} ({words})")
    return told


# ── Rows ────────────────────────────────────────────────────────────────────────────────────


def _rank(found: Found, view: View) -> tuple[bool, bool]:
    """What can be lent first, then what stays readable."""
    return found.way is Way.HIDE, not readable(found, view)


def _row(found: Found, view: View, place: Place, now: float) -> Row:
    exposed = readable(found, view)
    lent = _can_be_lent(found)
    return Row(
        title=_title(found, place),
        about=" · ".join(filter(None, (_kind(found), found.what, _age(found, now)))),
        does=_does(found, view, exposed=exposed),
        more=_more(found, view, place, exposed=exposed),
        choosable=lent,
        chosen=lent,
        # What moves to the vault cannot be read any more; what is left of it can.
        exposed=exposed and (found.way is not Way.IMPORT or bool(found.stays)),
    )


def _can_be_lent(found: Found) -> bool:
    return offer(found) is not None or found.way is Way.IMPORT


def _title(found: Found, place: Place) -> str:
    if found.way is Way.REFERENCE and found.hosts:
        return found.hosts[0]
    if found.kind == "environment":
        return "this terminal"
    return _short(found.path, place)


def _short(path: str, place: Place) -> str:
    if place.workspace and path.startswith(place.workspace + os.sep):
        return path[len(place.workspace) + 1 :]
    if path.startswith(place.home + os.sep):
        return f"~{path[len(place.home) :]}"
    return path


def _kind(found: Found) -> str:
    return "" if found.kind in ("other", "dotenv", "ssh", "netrc") else found.kind


def _age(found: Found, now: float) -> str:
    if found.expires:
        return "expired" if found.expires < now else "expires by itself"
    days = int((now - found.since) / _DAY) if found.since else 0
    return f"{days} days" if days > 1 else ""


def _does(found: Found, view: View, *, exposed: bool) -> str:
    if found.way is Way.REFERENCE:
        return "lent by use" + ("; stays readable" if exposed else ", asked of gh")
    if found.way is Way.IMPORT:
        return "into the vault"
    if exposed:
        return "stays readable"
    if found.kind == "environment":
        return "not handed on"
    return _HIDDEN.get(view.tier, "hidden")


def _more(found: Found, view: View, place: Place, *, exposed: bool) -> str:
    where = _short(found.path, place)
    opens = f" It opens {', '.join(found.hosts)}." if found.hosts else ""
    if found.way is Way.REFERENCE:
        lent = (
            f"b lends it by use: `{found.reference.removeprefix('cmd://')}` is asked at each call, "
            f"nothing is copied, and a task sees a stand-in.{opens}"
        )
        return f"{lent} {where} itself stays readable for it." if exposed else lent
    if found.way is Way.IMPORT:
        stays = f" What stays in it: {'; '.join(found.stays)}." if found.stays else ""
        return (
            f"b moves {', '.join(found.names)} into the vault; {where} keeps stand-ins, good here "
            f"and nowhere else.{opens}{stays}"
        )
    if exposed:
        return f"An agent that runs here can read {where or 'it'} whatever taskpass does.{opens}"
    if found.kind == "environment":
        return f"Variables of this terminal: {', '.join(found.names)}. A task gets none of them."
    return f"{where} is kept from tasks.{opens}"


# ── What b does ─────────────────────────────────────────────────────────────────────────────


async def _brokered(client: SetupClient, found: Found, workspace: str) -> Told:
    try:
        lent = offer(found)
        if lent is not None:
            return Told(True, await _lend(client, lent, workspace))
        return Told(True, await _import(client, found))
    except TaskpassError as error:
        return Told(False, str(error))


async def _lend(client: SetupClient, lent: Offer, workspace: str) -> str:
    """Add one credential by reference, undoable; in words what was done."""
    if any(view.name == lent.name for view in await client.credentials()):
        return f"{lent.name} is lent already."
    options = _reference(lent, workspace)
    entry = await client.record_undo(RecordUndo(what=lent.what, credentials=(lent.name,)))
    try:
        await client.add_credential(
            AddCredential(
                name=lent.name,
                issuer="reference",
                hosts=lent.hosts,
                env=lent.env,
                options=options,
                secret="",
            )
        )
    except TaskpassError:
        await client.forget_undo(entry.id)
        raise
    return f"{lent.name}: {lent.what}, by use; taken back by `taskpass undo {entry.id}`"


def _reference(lent: Offer, workspace: str) -> dict[str, str]:
    """Options of a credential by reference.

    Raises:
        UsageError: the program that is asked for it is missing, or lies where tasks can write.
    """
    options = references.options_for(lent.reference, os.environ)
    program = os.path.realpath(options[references.PROGRAM])
    if within(program, os.path.realpath(workspace)):
        raise UsageError(
            f"{program} lies in the project, where a task could change it: it is not asked.",
            hint="Take the project out of PATH, then run `taskpass setup`.",
        )
    return options | ({"forge": lent.forge} if lent.forge else {})


async def _import(client: SetupClient, found: Found) -> str:
    """Move what was shown of a file into the vault, undoable; in words what was done."""
    asked = PlanImport(path=_real(found.path))
    name = os.path.basename(asked.path)
    plan = await client.plan_import(asked)
    moving = {row.name for row in plan.rows if row.credential}
    if not moving <= set(found.names):
        raise UsageError(f"{name} was changed meanwhile; it is left as it is.")
    done = await client.carry_out_import(asked, plan.digest)
    what = ", ".join(sorted(moving))
    return f"{name}: {what} moved to the vault; taken back by `taskpass undo {done.undo}`"


def _real(path: str) -> str:
    """With the directories' links resolved; one in the last place is refused by the import."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)
