"""`taskpass agents [NAME]`: what is known of each agent program, from the profiles themselves."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from profiles import all_profiles, find
from profiles.manifest import FailMode, Manifest, Rewrite, Status
from supervisor.doctor.install import which
from supervisor.model import CallIdentity
from supervisor.ports import Profile

_STATUS = {
    Status.SUPPORTED: "the real program runs in our tests",
    Status.RECORDED: "our tests have its inputs, as recorded or documented, but not the program",
    Status.PARTIAL: "judged by what it does; it announces no calls",
}
_IDENTITY = {
    CallIdentity.CALL: "a use belongs to the one call that it is made in",
    CallIdentity.PROCESS: "a use belongs to the agent's process, whichever call made it",
    CallIdentity.SESSION: "a use belongs to the session",
}
_REWRITE = {
    Rewrite.ARGUMENTS: "a command is rewritten, so that its processes are tied to its call",
    Rewrite.ENVIRONMENT: "a command gets variables that tie its processes to its call",
    Rewrite.SHELL: "nothing is changed; a shell asks which call it was started for",
    Rewrite.NONE: "nothing of a call is changed",
}
_FAIL_MODE = {
    FailMode.CLOSED: "a call whose hook fails does not run.",
    FailMode.OPEN: "a call whose hook fails may run, unannounced, and gets no credential.",
    FailMode.NONE: "there is no hook that could fail.",
}
_NARROWEST, _WIDEST = 60, 100
_LABEL = 15  # columns


@dataclass(frozen=True, slots=True)
class Known:
    """One agent, as its profile has it, and whether it is here.

    Attributes:
        manifest: what is known.
        call_identity: how surely a use belongs to a call.
        program: real path of the installed program, "" for none.
        version: of that, "" unknown.
    """

    manifest: Manifest
    call_identity: CallIdentity
    program: str
    version: str

    @property
    def here(self) -> str:
        """In the table."""
        if self.program:
            return self.version or "installed"
        return "not installed" if self.manifest.offered else "-"

    def as_json(self) -> dict[str, Any]:
        """Everything that `taskpass agents NAME` tells."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "title": manifest.title,
            "program": self.program,
            "version": self.version,
            "status": manifest.status,
            "tested": manifest.tested,
            "minimum": manifest.minimum,
            "requires": manifest.requires,
            "call_identity": self.call_identity,
            "rewrite": manifest.rewrite,
            "fail_mode": manifest.fail_mode,
            "fail_detail": manifest.fail_detail,
            "hooked": manifest.hooked,
            "unhooked": manifest.unhooked,
            "refused": dict(manifest.refuse),
            "connect": manifest.connect,
            "bypasses": [asdict(bypass) for bypass in manifest.bypasses],
        }


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass agents",
        description="What is known of each agent: which of its tools are seen, what ties a use to "
        "a call, what becomes of a call whose hook fails, which ways around the hooks there are.",
    )
    made.add_argument("name", nargs="?", default="", metavar="NAME", help="all of one agent")
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    profiles = (find((), options.name),) if options.name else all_profiles()
    agents = [known for profile in profiles if (known := _known(profile))]
    if options.json:
        import msgspec

        told = {"schema_version": 1, "agents": [known.as_json() for known in agents]}
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    elif options.name:
        columns = shutil.get_terminal_size((_WIDEST, 24)).columns
        print(_whole(agents[0], max(_NARROWEST, min(columns, _WIDEST))), end="")
    else:
        print(table(agents), end="")
    return 0


def _known(profile: Profile) -> Known | None:
    manifest = getattr(profile, "manifest", None)
    if not isinstance(manifest, Manifest):
        return None
    program = ""
    if manifest.offered:
        program = which(manifest.programs, os.environ.get("PATH", os.defpath))
    version = profile.version(program) if program else ""
    return Known(manifest, profile.call_identity, program, version)


def table(agents: list[Known]) -> str:
    """One line an agent."""
    rows = [("agent", "here", "status", "call identity", "rewrite", "fail mode")]
    for known in agents:
        manifest = known.manifest
        rows.append(
            (
                manifest.name,
                known.here,
                manifest.status,
                known.call_identity,
                manifest.rewrite,
                manifest.fail_mode,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += ["", "`taskpass agents NAME` tells which tools are seen, and the known ways around."]
    return "\n".join([*lines, ""])


def _whole(known: Known, width: int) -> str:
    """All that is known of one agent."""
    manifest = known.manifest
    here = f"{known.version or 'version unknown'}, {known.program}" if known.program else known.here
    if manifest.connect:
        here = "not started here: see below how it is connected"
    rows = [
        ("here", here),
        ("status", _with_tested(manifest)),
        ("requires", manifest.requires),
        ("call identity", f"{known.call_identity}: {_IDENTITY[known.call_identity]}"),
        ("rewrite", f"{manifest.rewrite}: {_REWRITE[manifest.rewrite]}"),
        ("fail mode", f"{manifest.fail_mode}: {_FAIL_MODE[manifest.fail_mode]}"),
        ("", manifest.fail_detail),
        ("seen", ", ".join(manifest.hooked)),
        *_list("not seen", manifest.unhooked),
        *_list("refused", [f"{option}: {why}" for option, why in manifest.refuse.items()]),
    ]
    lines = [f"{manifest.title} ({manifest.name})", ""]
    for label, words in rows:
        if words:
            lines += _filled(f"{label:<{_LABEL}}", words, width)
    if manifest.connect:
        lines += ["", "How it is connected"]
        for number, step in enumerate(manifest.connect, 1):
            lines += _filled(f"  {number}. ", step, width)
    lines += ["", "Known ways around its hooks, and what is done about them"]
    for bypass in manifest.bypasses:
        lines += [*_filled("  - ", bypass.what, width), *_filled("    → ", bypass.answer, width)]
    return "\n".join([*lines, ""])


def _with_tested(manifest: Manifest) -> str:
    tested = f" (tested with {', '.join(manifest.tested)})" if manifest.tested else ""
    return f"{manifest.status}: {_STATUS[manifest.status]}{tested}"


def _list(label: str, items: tuple[str, ...] | list[str]) -> list[tuple[str, str]]:
    return [(label if index == 0 else "", item) for index, item in enumerate(items)]


def _filled(beginning: str, words: str, width: int) -> list[str]:
    return textwrap.wrap(
        words,
        width,
        initial_indent=beginning,
        subsequent_indent=" " * len(beginning),
        break_long_words=False,
        break_on_hyphens=False,
    )
