"""`profile.toml`: what is known about an agent program, as data next to its adapter."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from supervisor.errors import UsageError
from supervisor.model import ToolKind


class Status(StrEnum):
    """What backs the words of a manifest."""

    SUPPORTED = "supported"  # the real program runs in our tests
    RECORDED = "recorded"  # inputs as recorded or documented: the program itself cannot run there
    PARTIAL = "partial"  # judged without announced calls


class Rewrite(StrEnum):
    """What an allowance can change of a call, so that its processes are known as its own."""

    ARGUMENTS = "arguments"  # the tool's arguments, before it runs
    ENVIRONMENT = "environment"  # the environment of this one call
    SHELL = "shell"  # nothing: its shell asks which call it was started for
    NONE = "none"


class FailMode(StrEnum):
    """What becomes of a call whose hook fails, under the launch that we make of it."""

    CLOSED = "closed"  # it does not run
    OPEN = "open"  # it may run, unannounced: then no credential is released to it
    NONE = "none"  # there is no hook: each use is judged on its channel alone


@dataclass(frozen=True, slots=True)
class Bypass:
    """A known way around the hooks, and what is done about it."""

    what: str
    answer: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The typed form of one `profile.toml`.

    Attributes:
        programs: names under which the program is started.
        status: what backs all of this.
        tested: versions that the tests run.
        requires: what must be there besides the program, in words; "" for nothing.
        minimum: oldest version that can be supervised, "" for any.
        refuse: options and subcommands that would take the hooks away, each with the reason.
        keep: names of variables the agent gets besides the harmless ones, shell patterns.
        set: variables it always gets.
        model_secrets: variables with the model log-in; its tools do not get them.
        model_hosts: "host:port" of its model and log-in, where it does not say otherwise.
        writable, readable: paths below the home that it needs inside the container; what can be
            read in something that can be written stays as it is, also when it is missing.
        folders: paths below the directory it starts in, to be written though settings are guarded.
        own_sandbox: what becomes of a sandbox of its own inside ours, in words; "" where it has
            none.
        hooked, unhooked: which tools announce their calls.
        absent: kinds of tools (`model.ToolKind`) that it has none of, so that it uses its shell
            for that or does without.
        rewrite: what an allowance can change.
        fail_mode: what becomes of a call whose hook fails; `fail_detail` says why, and what is
            different.
        connect: how it is connected, step by step, where it is not started here; () where it is.
        bypasses: known ways around the hooks.
    """

    name: str
    title: str
    status: Status
    programs: tuple[str, ...]
    tested: tuple[str, ...]
    minimum: str
    requires: str
    refuse: Mapping[str, str]
    keep: tuple[str, ...]
    set: Mapping[str, str]
    model_secrets: tuple[str, ...]
    model_hosts: tuple[str, ...]
    writable: tuple[str, ...]
    readable: tuple[str, ...]
    folders: tuple[str, ...]
    own_sandbox: str
    hooked: tuple[str, ...]
    unhooked: tuple[str, ...]
    absent: tuple[ToolKind, ...]
    rewrite: Rewrite
    fail_mode: FailMode
    fail_detail: str
    connect: tuple[str, ...]
    bypasses: tuple[Bypass, ...]

    @property
    def offered(self) -> bool:
        """Whether it is an agent that a person may have installed, and start as a task."""
        known = bool(self.tested) or self.status is Status.RECORDED
        return bool(self.programs) and known and self.status is not Status.PARTIAL


def load(folder: str) -> Manifest:
    """The manifest beside an adapter; `folder` is the profile's directory name."""
    path = Path(__file__).parent / folder / "profile.toml"
    data = tomllib.loads(path.read_text("utf-8"))
    launch, environment, model = data["launch"], data["environment"], data["model_access"]
    containment, coverage = data["containment"], data["coverage"]
    return Manifest(
        name=data["name"],
        title=data["title"],
        status=Status(data["status"]),
        programs=tuple(launch["programs"]),
        tested=tuple(launch["tested"]),
        minimum=launch["minimum"],
        requires=launch.get("requires", ""),
        refuse=dict(launch["refuse"]),
        keep=tuple(environment["keep"]),
        set=dict(environment["set"]),
        model_secrets=tuple(model["secrets"]),
        model_hosts=tuple(model["hosts"]),
        writable=tuple(containment["writable"]),
        readable=tuple(containment["readable"]),
        folders=tuple(containment.get("folders", ())),
        own_sandbox=data.get("sandbox", {}).get("contained", ""),
        hooked=tuple(coverage["hooked"]),
        unhooked=tuple(coverage["unhooked"]),
        absent=tuple(ToolKind(kind) for kind in coverage.get("absent", ())),
        rewrite=Rewrite(coverage["rewrite"]),
        fail_mode=FailMode(coverage["fail_mode"]),
        fail_detail=coverage["fail_detail"],
        connect=tuple(data.get("connect", {}).get("steps", ())),
        bypasses=tuple(Bypass(b["what"], b["answer"]) for b in data["bypass"]),
    )


def refuse_options(manifest: Manifest, arguments: Sequence[str]) -> None:
    """Refuse a command line that would start the agent without its hooks.

    Raises:
        UsageError: names the option and why.
    """
    for argument in arguments:
        if argument == "--":
            return
        option = argument.split("=", 1)[0] if argument.startswith("--") else argument
        reason = manifest.refuse.get(option)
        if reason:
            raise UsageError(
                f"{manifest.title} cannot be supervised with {option}: {reason}.",
                hint=f"Leave {option} out.",
            )


def older(version: str, minimum: str) -> bool:
    """Whether a dotted version is known to be below the minimum; False when either is unknown."""
    have, need = (tuple(int(n) for n in re.findall(r"\d+", v)[:3]) for v in (version, minimum))
    return bool(have and need) and have < need
