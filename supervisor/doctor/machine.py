"""What this machine and account give: containment, ways out, limits, room for the history."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from supervisor.config import Config
from supervisor.doctor.report import Finding, State
from supervisor.model import Tier
from supervisor.process.cgroup import HINT, Delegation
from supervisor.process.probe import Probe
from supervisor.process.root_equivalents import Account, Hole

_SCARCE = 100 * 1024 * 1024  # bytes of free disk below which a history soon cannot be written
_SHOWN = 4  # of several files or holes

_TIERS = {
    Tier.A: "tier A: what a task must not reach is not there for it",
    Tier.B: "tier B: what a task must not reach is refused to it",
    Tier.UNCONTAINED: "uncontained: an agent can read and do what you can",
}


def containment(best: Probe, fallback: Probe | None, asked: Config) -> list[Finding]:
    """The tier, by what, why not a better one, and what there is besides.

    `fallback`: what tier B's own probe said where `best` is tier A. `asked`: what the
    person's configuration wants, which may be less.
    """
    if asked.contain == "off":
        what = "config.toml switches it off for every task that does not ask for it"
        return [Finding("containment", State.PROBLEM, what, 'take `mode = "off"` out of it')]
    what = f"{_TIERS[best.tier]} ({best.detail})"
    if best.tier is Tier.A:
        findings = [Finding("containment", State.OK, f"{what}, {best.bwrap}")]
        if fallback is not None:
            works = "would work too" if fallback.tier is Tier.B else "would not work"
            detail = fallback.detail.partition("; not A:")[0]
            findings.append(Finding("containment", State.OK, f"tier B {works} ({detail})"))
        return findings
    step = "" if asked.tier else "install bubblewrap and allow user namespaces, for tier A"
    state = State.NOTE if best.tier is Tier.B else State.PROBLEM
    return [Finding("containment", state, what, step or "take `tier` out of config.toml")]


def exposure(tier: Tier, files: tuple[str, ...]) -> list[Finding]:
    """`files`: credentials in the home, as `probe.exposed` names them."""
    if not files:
        return [Finding("credentials", State.OK, "none found lying in your home")]
    named = _some(files)
    if tier is not Tier.UNCONTAINED:
        return [Finding("credentials", State.OK, f"kept from contained tasks: {named}")]
    step = "give them to `taskpass credential add`, then remove the files"
    return [Finding("credentials", State.PROBLEM, f"any agent can read {named}", step)]


def holes(tier: Tier, found: Iterable[Hole]) -> list[Finding]:
    """Ways out that are as good as root; contained, the paths are not there for a task."""
    ways: dict[str, list[Hole]] = {}
    for hole in found:
        ways.setdefault(hole.way.name, []).append(hole)
    if not ways:
        return [Finding("ways out", State.OK, "none found")]
    if tier is not Tier.UNCONTAINED:
        named = _some(tuple(ways))
        return [Finding("ways out", State.OK, f"closed for contained tasks: {named}")]
    findings = []
    for name, those in ways.items():
        paths = _some(tuple(hole.path for hole in those if hole.path))
        where = f" ({paths})" if paths else ""
        way = those[0].way
        what = f"{name}{where}: {way.why}"
        findings.append(Finding("ways out", State.PROBLEM, what, way.remedy))
    return findings


def sudo(account: Account, environ: Mapping[str, str]) -> Finding:
    """What sudo would run without a password. Asked only on request: sudo may log the question."""
    program = shutil.which("sudo", path=environ.get("PATH"))
    if program is None:
        return Finding("sudo", State.OK, "not installed")
    try:
        done = subprocess.run(
            [program, "-n", "-l"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("sudo", State.NOTE, f"did not answer: {error}")
    if done.returncode != 0:
        return Finding("sudo", State.OK, f"gives {account.name} nothing without a password")
    return Finding(
        "sudo",
        State.PROBLEM,
        f"runs programs for {account.name} without a password now",
        "`sudo -k`; take NOPASSWD out of sudoers",
    )


def limits(delegation: Delegation) -> Finding:
    """Whether a task's memory, processors and processes can be limited."""
    if delegation.controllers:
        names = ", ".join(sorted(delegation.controllers))
        return Finding("limits", State.OK, f"can be set for a task: {names} ({delegation.path})")
    return Finding("limits", State.NOTE, f"none to be had: {delegation.reason}", HINT)


def disk(state: str) -> Finding:
    """Room for the history; without a record nothing is released."""
    folder = state
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    try:
        size = f"history of {_bytes(os.stat(os.path.join(state, 'ledger.db')).st_size)}"
    except OSError:
        size = "no history yet"
    if not os.access(folder, os.W_OK):
        return Finding(
            "disk", State.PROBLEM, f"{folder} cannot be written", "make it yours, or set XDG_*"
        )
    what = f"{size}, {_bytes(free)} free"
    if free < _SCARCE:
        return Finding("disk", State.PROBLEM, what, "free some: no record means no credential")
    return Finding("disk", State.OK, what)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
