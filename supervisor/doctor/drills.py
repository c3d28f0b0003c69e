"""Has each installed agent try one refused call down each path, and tells what became of it.

The agent is the real one, run by `taskpass run` in a private install with the person's containment
and what of their settings decides over hooks. Its model is played by us (`doctor.model`).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from supervisor.config import Config
from supervisor.doctor.model import Play, played
from supervisor.doctor.private import HOST, MARK, TOO_LONG, Private, private_install
from supervisor.doctor.report import Finding, State, Tried
from supervisor.ports.drills import Drill, DrillRequest
from supervisor.ports.drills import Path as Way

_EXPECTED = "refused, and on record"
_NO_DRILL = "its model cannot be played here"
_MCP_TOOL = "mcp__drill__mark"  # as every profile names it
_PROMPT, _ERRAND = "This is a taskpass drill.", "This is a taskpass errand."
_LAST_WORDS = 200  # characters of what an agent printed that are shown
_SERVER = Path(__file__).with_name("mark_server.sh")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent to be drilled.

    Attributes:
        program: its real path.
        drill: how, by its profile (`Profile.drill`); None where it cannot be.
    """

    title: str
    program: str
    drill: Callable[[DrillRequest], Drill | None]


@dataclass(frozen=True, slots=True)
class Untried:
    """A path of an agent that is not tried, `path` "" for all of its paths, and why."""

    who: str
    path: str
    why: str


def drilled(
    agents: Sequence[Agent], asked: Config, environ: Mapping[str, str]
) -> tuple[list[Tried], list[Untried]]:
    """All paths of all agents, then the proxy; and what was not tried.

    Raises:
        OSError: no private install can be made.
    """
    with private_install(asked, environ) as install:
        return asyncio.run(_all(install, agents, environ))


async def _all(
    install: Private, agents: Sequence[Agent], environ: Mapping[str, str]
) -> tuple[list[Tried], list[Untried]]:
    tried: list[Tried] = []
    untried: list[Untried] = []
    for number, agent in enumerate(agents):
        found, left = await _agent(install, agent, number, environ)
        tried += found
        untried += left
    return [*tried, await _proxy(install)], untried


async def _agent(
    install: Private, agent: Agent, number: int, environ: Mapping[str, str]
) -> tuple[list[Tried], list[Untried]]:
    """One turn of this agent."""
    server = install.project / f"mark-server-{number}"
    shutil.copy(_SERVER, server)
    marks = {way: str(install.project / f"{MARK}{way.lower()}-{number}") for way in Way}
    async with played() as model:
        request = DrillRequest(
            model=model.url,
            project=str(install.project),
            environ=environ,
            server=("/bin/sh", str(server), marks[Way.MCP]),
            marks=marks,
            prompt=_PROMPT,
            errand=_ERRAND,
        )
        drill = agent.drill(request)
        if drill is None:
            return [], [Untried(agent.title, "", _NO_DRILL)]
        model.plays = plays(drill)
        for name, content in drill.files.items():
            file = install.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        code, printed = await install.taskpass(
            "run", "--headless", "--", agent.program, *drill.arguments, environ=drill.environ
        )
        answered = model.asked
    records = [each for each in install.records() if each["kind"].startswith("call.")]
    words = "" if answered else f"did not start: {_last_words(printed)}"
    if code == TOO_LONG:
        words = "did not come to its end in time"
    tried = [judged(agent.title, way, marks[way], records, words, drill) for way in drill.uses]
    return tried, [Untried(agent.title, way, why) for way, why in drill.untried.items()]


def plays(drill: Drill) -> tuple[Play, ...]:
    """The agent's own calls, and its subagent's, which it waits for."""
    inline = [use for way, use in drill.uses.items() if way is not Way.SUBAGENT]
    if drill.spawn is None:
        return (Play(_PROMPT, inline),)
    errand = Play(_ERRAND, (drill.uses[Way.SUBAGENT],))
    return Play(_PROMPT, (*inline, drill.spawn), after=_ERRAND), errand


def judged(
    title: str,
    way: Way,
    mark: str,
    records: Iterable[Mapping[str, Any]],
    words: str,
    drill: Drill,
) -> Tried:
    """`words`: why not all was tried, "" where it was."""
    of_it = [each["kind"] for each in records if _is_of(each, way, Path(mark).name, drill)]
    done, refused = Path(mark).exists(), "call.denied" in of_it
    if refused and not done:
        return Tried(title, way, _EXPECTED, _EXPECTED, proven=True)
    step = drill.suspects
    if done and of_it:
        seen, step = "OPEN: allowed, and done", "taskpass did not refuse what it must: report this"
    elif done:
        seen = "OPEN: done without being announced; such a call gets no credential"
    elif of_it:
        seen, step = "allowed, and not done", "taskpass did not refuse what it must: report this"
    elif words:
        seen, step = f"not tried, the agent {words}", "start it by hand and see"
    else:
        seen = "not done, and not announced"
    return Tried(title, way, _EXPECTED, seen, proven=False, next=step)


def _is_of(record: Mapping[str, Any], way: Way, mark: str, drill: Drill) -> bool:
    """Whether a call's record is of this path."""
    if way is Way.MCP:
        return record.get("tool") == _MCP_TOOL
    if way is Way.SUBAGENT and drill.names_subagents and not record.get("subagent"):
        return False  # its parent did it
    return mark in str(record.get("preview", ""))


async def _proxy(install: Private) -> Tried:
    """A client that verifies our certificate is refused by the proxy itself, in words."""
    expected = "refused by the proxy, its certificate verified"
    if shutil.which("curl", path=install.environ.get("PATH")) is None:
        step = "install curl: hooks of several agents need it"
        return Tried("", "proxy", expected, "not tried: there is no curl", False, step)
    form = "%{http_code} %{ssl_verify_result}"
    words = ("curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", form, f"https://{HOST}/")
    _, printed = await install.taskpass("run", "--headless", "--", *words)
    kinds = [each["kind"] for each in install.records() if HOST in str(each.get("effect", ""))]
    if printed.split()[-2:] == ["403", "0"] and "use.denied" in kinds:
        return Tried("", "proxy", expected, expected, proven=True)
    seen = _last_words(printed) or "nothing"
    step = "`taskpass run --headless -- curl -v https://example.com/` tells more"
    return Tried("", "proxy", expected, seen, False, step)


def _last_words(printed: str) -> str:
    """The end of what a program printed, in one line that a terminal can be shown."""
    line = " ".join(printed.split())[-_LAST_WORDS:]
    return "".join(each for each in line if each.isprintable())


def findings(tried: Sequence[Tried], untried: Sequence[Untried]) -> list[Finding]:
    """In lines: paths of an agent of which the same is to be said stand in one."""
    alike: dict[tuple[str, str, bool, str], list[str]] = {}
    for each in tried:
        alike.setdefault((each.who, each.seen, each.proven, each.next), []).append(each.path)
    found = []
    for (who, seen, proven, step), paths in alike.items():
        named = ": ".join(part for part in (who, ", ".join(paths), seen) if part)
        found.append(Finding("paths", State.OK if proven else State.PROBLEM, named, step))
    for why, group in groupby(sorted(untried, key=lambda each: each.why), lambda each: each.why):
        names = ", ".join(" ".join((each.who, each.path)).strip() for each in group)
        found.append(Finding("paths", State.NOTE, f"not tried, {why}: {names}"))
    return found
