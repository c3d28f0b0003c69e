"""Sixty tool calls, in each agent's own bytes, in each runtime: the same decisions and effects.

It prints a table. Every call starts from an input recorded from the agent (`tests/vectors/
native`), goes the way that agent's hooks go, and is judged by a live supervisor in each runtime.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiles import all_profiles, find
from supervisor.effects import effects_of, files
from supervisor.model import Effect, Outcome, Verb
from tests.support.ci_provider import CiServer
from tests.support.decided import Cell, Decided, decisions, differences, table
from tests.support.live import TASKPASS, ApiServer, Install, Person
from tests.support.native_forms import ACP, FORMS, GATEWAY, Form, Gap, Said, client_lines
from tests.support.repositories import a_repository, git
from tests.support.runtimes import Place, Run, ci, container, laptop, run_there
from tests.support.sixty_calls import SIXTY, Doing, Edit, Read, Write

_SUPPORT = Path(__file__).parents[1] / "support"
_NAMES = [same.name for same in SIXTY]


def test_there_are_sixty_and_every_adapter_says_them() -> None:
    assert len(set(_NAMES)) == 60
    assert [form.agent for form in FORMS] == [profile.name for profile in all_profiles()]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.agent)
def test_what_an_agent_has_no_tool_for_is_in_its_manifest(form: Form) -> None:
    manifest = find([], form.agent).manifest  # type: ignore[attr-defined]
    missing = {
        str(said.kind)
        for said in (form.say(same.doing, "/work") for same in SIXTY)
        if isinstance(said, Gap) or said.carrier
    }
    assert missing == (set(manifest.absent) if manifest.hooked else missing)


def _placed(doing: Doing, project: Path) -> Doing:
    """With the folders of this install."""
    if not isinstance(doing, Read | Write | Edit):
        return doing
    path = doing.path.replace("$WS", str(project)).replace("$HOME", str(project.parent))
    return replace(doing, path=path)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.agent)
def test_its_adapter_reads_the_same_effects(form: Form, project: Path) -> None:
    """To the last attribute, but for running the program that stands in for a tool."""
    for same in SIXTY:
        doing = _placed(same.doing, project)
        said = form.say(doing, str(project))
        if isinstance(said, Said):
            wanted = _effects(FORMS[0], FORMS[0].say(doing, str(project)), project)
            assert _effects(form, said, project) == wanted, same.name


def _effects(form: Form, said: Said | Gap, project: Path) -> list[Effect]:
    assert isinstance(said, Said)
    call = find([], form.agent).parse_hook(json.loads(said.body)).call
    assert call is not None
    found = effects_of(call, files.Place.of(str(project), str(project.parent)))
    return [e for e in found if not (e.verb is Verb.RUN and e.resource == said.carrier)]


@pytest.fixture
def project(install: Install) -> Path:
    """A repository with a remote, beside things of the person's."""
    made = a_repository(install.project)
    git(made, "remote", "add", "origin", "https://github.com/acme/shop.git")
    (made / ".env").write_text("TOKEN=abc\n")
    _programs_of_the_person(install)
    (install.home / "letters").mkdir()
    (install.home / "letters/to-bea.txt").write_text("Dear Bea\n")
    return made


def _programs_of_the_person(install: Install) -> None:
    """Some agents are not started where there is no Node; it does not run here."""
    node = install.home / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\n")
    node.chmod(0o755)
    install.environ["PATH"] = f"{node.parent}:{install.environ['PATH']}"


@pytest.fixture
def job(install: Install, api: ApiServer) -> Iterator[dict[str, str]]:
    """Variables of a job of CI, whose provider is here."""
    server = CiServer("github-actions", api.certificate_authority)
    install.configure(
        f'[network]\nextra_roots = "{install.root / "roots.pem"}"\n'
        f'[ci]\nissuer = "{server.configured}"\n'
        # The agents are played in this Python.
        f'[containment]\nshow = ["{sys.base_prefix}"]\n'
    )
    install.cli("stop")  # the next supervisor has read it
    yield {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": server.bearer,
    }
    server.close()


@pytest.mark.timeout(400)  # some two thousand calls
def test_sixty_calls_are_decided_alike_for_every_agent_in_every_runtime(
    install: Install, project: Path, job: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    doings = [_placed(same.doing, project) for same in SIXTY]
    said = {form.agent: [form.say(doing, str(project)) for doing in doings] for form in FORMS}
    started = [form for form in FORMS if form.tiers]
    runs = {form.agent: _run(install, form, said[form.agent], doings) for form in started}
    matrix: dict[str, dict[str, list[Cell]]] = {}
    places = []
    for place in (laptop(), container(), ci(job)):
        there = [f.agent for f in FORMS if place.tier in f.tiers]
        records = _in(place, install, [run for agent in there if (run := runs[agent])])
        begun = [r for r in records if r["kind"] == "task.started" and r["runtime"] == place.kind]
        assert {(r["runtime_evidence"], r["tier"]) for r in begun} == {(place.evidence, place.tier)}
        tasks = {r["purpose"]: r["task"] for r in begun}
        matrix[place.kind] = {
            agent: _cells(records, tasks.get(agent, ""), said[agent])
            if agent in there
            else [Cell(None)] * len(SIXTY)
            for agent in said
        }
        places.append(f"{place.kind}: tier {place.tier}, runtime evidence {place.evidence}")
    with capsys.disabled():
        print("", table(_NAMES, matrix), *places, sep="\n")
    assert differences(_NAMES, matrix) == []
    for row, same in enumerate(SIXTY):
        cells = [column[row] for columns in matrix.values() for column in columns.values()]
        assert {c.decided.outcome for c in cells if c.decided} == {same.outcome}, same.name


def test_what_differs_is_named() -> None:
    read = Decided(Outcome.ALLOW, ("read",), ("read /a",))
    by_shell = Decided(Outcome.ALLOW, ("run", "read"), ("run cat", "read /a"))
    other = replace(by_shell, effects=("run cat", "read /b"))
    asks = replace(read, outcome=Outcome.ASK)
    for cell, named in (
        (Cell(read), []), (Cell(None), []), (Cell(by_shell, "cat"), []),
        (Cell(by_shell), ["look"]), (Cell(other, "cat"), ["look"]), (Cell(asks), ["look"]),
    ):  # fmt: skip
        matrix = {"laptop": {"one": [Cell(read)], "two": [cell]}}
        assert [each.partition(":")[0] for each in differences(["look"], matrix)] == named


def _run(
    install: Install, form: Form, said: Sequence[Said | Gap], doings: Sequence[Doing]
) -> Run | None:
    """The agent: it announces these calls, and does nothing of what it may. None: it has none."""
    announced = [(each.event, each.body.decode()) for each in said if isinstance(each, Said)]
    folder = install.home / "bin" / form.agent
    folder.mkdir(parents=True)
    program = folder / form.program
    source = "acp_agent_inside.py" if form is ACP else "announcer_inside.py"
    interpreter = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    program.write_text(
        f"#!{interpreter} -I\nimport json\nANNOUNCED = json.loads({json.dumps(announced)!r})\n"
        + (_SUPPORT / source).read_text()
    )
    program.chmod(0o755)
    made = Run(form.agent, (str(program), *form.options))
    if form is ACP:  # nothing tells from outside that a program speaks it
        greeting = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
        return replace(made, lines=(json.dumps(greeting),), profile=form.agent)
    if form is not GATEWAY:
        return made if announced else None
    # It is itself what runs, and a client of it is played.
    (install.project / "tracker.py").write_text((_SUPPORT / "tracker_inside.py").read_text())
    added = install.cli("mcp", "add", "tracker", "--", str(interpreter), "tracker.py")
    assert added.returncode == 0, added.stderr
    return replace(made, lines=client_lines(doings))


def _in(place: Place, install: Install, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What the history holds after these runs. A person at a screen says no to what is asked."""
    with ExitStack() as stack:
        if place.kind == "laptop":
            # The supervisor is to be the place's, not one that the person's screen starts.
            subprocess.run(
                [*place.prefix, *TASKPASS, "ps"], cwd=install.project, env=install.environ,
                capture_output=True, check=True,
            )  # fmt: skip
            stack.enter_context(Person(install)).answers("", approve=False)
        return run_there(place, install, runs)


def _cells(records: list[dict[str, Any]], task: str, said: Sequence[Said | Gap]) -> list[Cell]:
    found = decisions(records, task)
    assert len(found) == sum(isinstance(each, Said) for each in said), (task, found[-1:])
    ours = iter(found)
    return [
        Cell(next(ours), each.carrier) if isinstance(each, Said) else Cell(None) for each in said
    ]
