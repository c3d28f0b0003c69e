"""`taskpass doctor`: one screen about what holds here. Changes nothing of the person's.

Where agents are installed, each is run for a moment in a private install (`doctor.drills`) and has
to be refused down each path by which its calls happen.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path

from profiles import all_profiles
from profiles.manifest import Manifest, older
from supervisor import places
from supervisor.config import Config, load_user_config
from supervisor.doctor import clock, install, machine
from supervisor.doctor.report import Finding, State, Tried, as_json, as_text, healthy
from supervisor.errors import TaskpassError
from supervisor.model import Tier
from supervisor.ports import Profile
from supervisor.process import cgroup
from supervisor.process.probe import probe
from supervisor.process.root_equivalents import account_now, found
from supervisor.process.secret_places import exposed


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"taskpass {command}", description="What holds on this machine, and what does not."
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    made.add_argument(
        "--sudo",
        action="store_true",
        help="also ask sudo what it would run without a password (sudo may log that)",
    )
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    findings = _findings(ask_sudo=options.sudo)
    tried, told = _paths()
    findings += told
    if options.json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(as_json(findings, tried)) + b"\n")
    else:
        print(as_text(findings), end="")
    return 0 if healthy(findings) else 1


def _findings(*, ask_sudo: bool) -> list[Finding]:
    account = account_now(os.environ)
    asked = _asked()
    probed = probe(best=Tier(asked.tier or Tier.A))
    fallback = probe(best=Tier.B) if probed.tier is Tier.A else None
    tier = Tier.UNCONTAINED if asked.contain == "off" else probed.tier
    return [
        *machine.containment(probed, fallback, asked),
        *machine.exposure(tier, exposed(os.path.expanduser("~"))),
        *machine.holes(tier, found(account)),
        *([machine.sudo(account, os.environ)] if ask_sudo else []),
        machine.limits(cgroup.delegation()),
        *_agents(),
        *install.vault(places.state()),
        install.configuration(places.config()),
        install.supervisor(version("taskpass")),
        install.authority(Path(places.state())),
        clock.clock(Path(places.state(), "ledger.db")),
        machine.disk(places.state()),
        *install.terminal(os.environ, _size()),
    ]


def _asked() -> Config:
    try:
        return load_user_config(Path(places.config(), "config.toml"))
    except TaskpassError:
        return Config()  # told as a finding of its own


def _installed() -> list[tuple[Profile, Manifest, str]]:
    """The known agents, each with its program's real path, "" where it is not installed."""
    path = os.environ.get("PATH", os.defpath)
    return [
        (profile, known, install.which(known.programs, path))
        for profile in all_profiles()
        if isinstance(known := getattr(profile, "manifest", None), Manifest) and known.offered
    ]


def _agents() -> list[Finding]:
    return [_agent(*found) for found in _installed()]


def _agent(profile: Profile, known: Manifest, program: str) -> Finding:
    found_version = profile.version(program) if program else ""
    return install.agent(known, program, found_version, older(found_version, known.minimum))


def _paths() -> tuple[list[Tried], list[Finding]]:
    """Every path of every agent that can be supervised, tried."""
    here = [
        (profile, known, program)
        for profile, known, program in _installed()
        if program and not older(profile.version(program), known.minimum)
    ]
    if not here:
        return [], []
    if os.environ.get("TASKPASS_TASK"):
        what = "not tried: this terminal is inside a task, and a task does not start another one"
        return [], [Finding("paths", State.NOTE, what, "use a terminal outside it")]
    from supervisor.doctor import drills

    if sys.stderr.isatty():
        print("Trying each path of each agent …", file=sys.stderr, flush=True)
    agents = [drills.Agent(known.title, program, profile.drill) for profile, known, program in here]
    try:
        tried, without = drills.drilled(agents, _asked(), os.environ)
    except OSError as error:
        what = f"not tried: {error.filename}: {error.strerror}"
        return [], [Finding("paths", State.PROBLEM, what, "check the disk that holds /tmp")]
    return tried, drills.findings(tried, without)


def _size() -> tuple[int, int] | None:
    if not sys.stdout.isatty():
        return None
    size = os.get_terminal_size(sys.stdout.fileno())
    return size.columns, size.lines
