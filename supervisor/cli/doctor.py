"""`taskpass doctor`: one screen about what holds here. Starts no supervisor, changes nothing."""

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
from supervisor.doctor import install, machine
from supervisor.doctor.report import Finding, as_json, as_text, healthy
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
    if options.json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(as_json(findings)) + b"\n")
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
        machine.disk(places.state()),
        *install.terminal(os.environ, _size()),
    ]


def _asked() -> Config:
    try:
        return load_user_config(Path(places.config(), "config.toml"))
    except TaskpassError:
        return Config()  # told as a finding of its own


def _agents() -> list[Finding]:
    path = os.environ.get("PATH", os.defpath)
    findings = []
    for profile in all_profiles():
        known = getattr(profile, "manifest", None)
        if isinstance(known, Manifest) and known.offered:
            findings.append(_agent(profile, known, path))
    return findings


def _agent(profile: Profile, known: Manifest, path: str) -> Finding:
    program = install.which(known.programs, path)
    found_version = profile.version(program) if program else ""
    return install.agent(known, program, found_version, older(found_version, known.minimum))


def _size() -> tuple[int, int] | None:
    if not sys.stdout.isatty():
        return None
    size = os.get_terminal_size(sys.stdout.fileno())
    return size.columns, size.lines
