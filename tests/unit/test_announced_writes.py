"""A write at GitHub that was approved with its command is not asked about again; others are."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.calls.forge import announced_writes, asked_already
from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.effects.http import http_effect
from supervisor.grants.book import CallEntry
from supervisor.model import (
    Call,
    CallIdentity,
    Decision,
    Effect,
    Outcome,
    ToolCall,
    ToolKind,
    Verb,
)

ISSUE = "gh api -X POST repos/ana/app/issues -f title=x"
CREATE = "gh issue create -R ana/app -t x -b y"
RUN = "gh workflow run deploy.yml -R ana/app --ref main"


def entry(command: str, folder: Path, *, answered: bool = True, lease: bool = True) -> CallEntry:
    tool = ToolCall("1", "Bash", ToolKind.SHELL, {}, str(folder), command)
    effects = tuple(effects_of(tool, Place.of(str(folder))))
    asked = Decision(Outcome.ASK, "changes what others see", about=effects, lease=lease)
    call = Call("c-1", "t-1", 1, tool, "sha256:0", effects, asked, 0.0,
                CallIdentity.CALL)  # fmt: skip
    return CallEntry(call, "x", 900.0, answered=answered)


def post(path: str, host: str = "api.github.com", method: str = "POST") -> Effect:
    return http_effect(f"https://{host}{path}", method)


def mutation(*fields: str) -> Effect:
    made = post("/graphql")
    told = {"graphql": "mutation", "fields": f" {' '.join(fields)} "}
    return Effect(made.verb, made.resource, {**made.attributes, **told})


DISPATCH = post("/repos/ana/app/actions/workflows/deploy.yml/dispatches")


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (ISSUE, post("/repos/ana/app/issues")),
        (f"cd sub && {ISSUE} | jq .number", post("/repos/ana/app/issues")),
        (CREATE, mutation("createIssue")),
        ("gh issue create --repo=ana/app -t x -b y", mutation("createIssue")),
        ("gh pr create --repo ana/app -t x -b y", mutation("createPullRequest")),
        (RUN, DISPATCH),
        ("gh run rerun 33 -R Ana/App", post("/repos/ana/app/actions/runs/33/rerun")),
    ],
    ids=str,
)
def test_what_the_command_announced_is_asked_once(
    command: str, request_: Effect, tmp_path: Path
) -> None:
    call = entry(command, tmp_path)
    assert asked_already(call, [request_])
    assert not asked_already(call, [request_]), "one operation is one request"


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (ISSUE, post("/repos/ana/app/pulls")),
        (ISSUE, post("/repos/ana/other/issues")),
        (ISSUE, post("/repos/ana/app/issues", method="DELETE")),
        (ISSUE, post("/repos/ana/app/issues", host="api.github.com.evil.example")),
        (ISSUE, post("/repos/ana/app/issues", host="api.github.com:8443")),
        (ISSUE, mutation("createIssue")),
        ("gh api -X POST 'repos/{owner}/{repo}/issues'", post("/repos/ana/app/issues")),
        ("gh api --hostname ghe.corp -X POST repos/ana/app/issues", post("/repos/ana/app/issues")),
        ("gh api graphql -f query='mutation{deleteRepo}'", mutation("deleteRepo")),
        (CREATE, mutation("deleteIssue")),
        (CREATE, mutation("createIssue", "addStar")),
        (CREATE, mutation()),
        # The repository is not named, or not clearly.
        ("gh issue create -t x -b y", mutation("createIssue")),
        ("gh issue create -R ghe.corp/ana/app -t x", mutation("createIssue")),
        ("gh issue create -R ana/app -R ana/b -t x", mutation("createIssue")),
        (RUN, post("/repos/ana/other/actions/workflows/deploy.yml/dispatches")),
        (RUN, post("/repos/ana/app/actions/workflows/../../../x/dispatches")),
        (RUN, post("/repos/ana/app/dispatches")),
        # Something else runs as well, which could send it.
        (f"./deploy.sh; {ISSUE}", post("/repos/ana/app/issues")),
        (f"npm test; {ISSUE}", post("/repos/ana/app/issues")),
        (f"python3 x.py | {CREATE}", mutation("createIssue")),
        (f"gh unknown; {ISSUE}", post("/repos/ana/app/issues")),
        (f"LD_PRELOAD=./x.so {ISSUE}", post("/repos/ana/app/issues")),
        (f"PATH=.:$PATH {ISSUE}", post("/repos/ana/app/issues")),
        (f"GH_PAGER=./x {ISSUE}", post("/repos/ana/app/issues")),
        (f"./{ISSUE}", post("/repos/ana/app/issues")),
        ("curl -X POST https://api.github.com/repos/ana/app/issues", post("/repos/ana/app/issues")),
    ],
    ids=str,
)
def test_anything_else_asks_again(command: str, request_: Effect, tmp_path: Path) -> None:
    assert not asked_already(entry(command, tmp_path), [request_])


def test_only_a_persons_answer_to_this_very_call_counts(tmp_path: Path) -> None:
    request = post("/repos/ana/app/issues")
    assert not asked_already(entry(ISSUE, tmp_path, answered=False), [request])
    assert not asked_already(entry(ISSUE, tmp_path, lease=False), [request])


def test_all_that_a_request_does_must_have_been_announced(tmp_path: Path) -> None:
    call = entry(ISSUE, tmp_path)
    other = Effect(Verb.HTTP, "evil.example", {"method": "POST", "path": "/"})
    assert not asked_already(call, [post("/repos/ana/app/issues"), other])
    assert call.spent == set(), "what was refused used nothing up"
    assert asked_already(call, [post("/repos/ana/app/issues")])


def test_two_announced_operations_are_two_requests(tmp_path: Path) -> None:
    call = entry(f"{ISSUE}; {ISSUE.replace('=x', '=y')}", tmp_path)
    request = post("/repos/ana/app/issues")
    found = announced_writes(call.call, request)
    assert [asked_already(call, [request]) for _ in range(3)] == [n < len(found) for n in range(3)]
