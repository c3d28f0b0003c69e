"""A write at GitHub that its call announced, and a person approved with the call. Pure.

`gh issue create -R ana/app` is asked about when it is announced; the request that it then makes is
the same thing, and is not asked about again, where there is no doubt that it is:

- a person answered this very call, for once: an answer for the task covers a class, which does not
  name the repository;
- the whole command was read, and nothing in it but gh, and what only prints or reads, runs: no
  other program of the call could send a request of the same form;
- the command names the repository itself, and the request is the one that gh makes for it;
- each announced operation covers one request.

Everything else asks again. What gh sends: its source, `pkg/cmd/*` and `api/queries_*.go`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from supervisor.calls.egress import approved_with
from supervisor.effects.http import http_effect
from supervisor.grants.book import CallEntry
from supervisor.model import Call, Effect, Verb

_HOST: Final = "api.github.com"
_HARMLESS: Final = frozenset(
    {"gh", "cd", "echo", "printf", "true", "cat", "jq", "head", "tail", "grep", "wc", "sort"}
)
_REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+")
# operation → the mutation that gh sends for it
_MUTATIONS: Final = {
    "issue create": "createIssue",
    "issue close": "closeIssue",
    "issue reopen": "reopenIssue",
    "issue comment": "addComment",
    "pr create": "createPullRequest",
    "pr close": "closePullRequest",
    "pr reopen": "reopenPullRequest",
    "pr comment": "addComment",
    "pr merge": "mergePullRequest",
    "pr ready": "markPullRequestReadyForReview",
    "pr review": "addPullRequestReview",
}
# operation → what follows the repository in the path that it POSTs to
_POSTS: Final = {
    "workflow run": re.compile(r"/actions/workflows/[\w.%-]+/dispatches"),
    "run rerun": re.compile(r"/actions/runs/\d+/rerun(?:-failed-jobs)?"),
    "run cancel": re.compile(r"/actions/runs/\d+/cancel"),
    "release create": re.compile(r"/releases"),
}


def asked_already(entry: CallEntry, asking: Sequence[Effect]) -> bool:
    """Whether a person has answered all of this with the call. What is covered so, is used up."""
    spent = set(entry.spent)
    for effect in asking:
        if approved_with(entry.call, effect):
            continue
        covering = next(
            (n for n in announced_writes(entry.call, effect) if n not in spent), None
        ) if entry.answered else None  # fmt: skip
        if covering is None:
            return False
        spent.add(covering)
    entry.spent |= spent
    return True


def announced_writes(call: Call, effect: Effect) -> list[int]:
    """Which of the call's effects announce this request, by their place; [] for none."""
    request = effect.attributes
    if (
        effect.verb is not Verb.HTTP
        or effect.resource != _HOST
        or request.get("websocket")
        or not call.decision.lease
        or not _only_gh(call.effects)
    ):
        return []
    commands = [str(e.attributes.get("text")) for e in call.effects if e.resource == "gh"]
    repositories = [_repository(command) for command in commands]
    found = []
    for place, said in enumerate(call.effects):
        if said.verb is not Verb.OPERATE or said.attributes.get("system") != "github":
            continue
        if said not in call.decision.about:
            continue
        operation = str(said.attributes.get("operation"))
        named = {
            repository
            for command, repository in zip(commands, repositories, strict=True)
            if command.startswith(f"gh {operation} ")
        }
        if _is_api(operation, effect, commands) or any(
            repository and _is_made_for(operation, repository, effect) for repository in named
        ):
            found.append(place)
    return found


def _only_gh(effects: Iterable[Effect]) -> bool:
    return all(
        effect.attributes.get("known")
        and not effect.attributes.get("uninspectable")
        and effect.resource in _HARMLESS
        and effect.attributes.get("argv0") == effect.resource
        for effect in effects
        if effect.verb is Verb.RUN
    ) and not any(effect.verb is Verb.OTHER for effect in effects)


def _is_api(operation: str, effect: Effect, commands: Sequence[str]) -> bool:
    """`gh api -X POST repos/ana/app/issues`: the very method and path."""
    method, _, path = operation.partition(" ")
    if not path.startswith("repos/") or any("--hostname" in command for command in commands):
        return False
    said = http_effect(f"https://{_HOST}/{path}", method)
    sent = str(effect.attributes.get("path", "")).partition("?")[0]
    return (
        said.attributes.get("method") == effect.attributes.get("method")
        and said.attributes.get("path") == sent
    )


def _is_made_for(operation: str, repository: str, effect: Effect) -> bool:
    request = effect.attributes
    path = str(request.get("path", "")).partition("?")[0]
    if request.get("method") != "POST":
        return False
    if path == "/graphql":
        mutation = _MUTATIONS.get(operation, "")
        fields = str(request.get("fields", "")).split()
        return request.get("graphql") == "mutation" and bool(mutation) and fields == [mutation]
    below = _POSTS.get(operation)
    prefix = f"/repos/{repository}"
    return (
        below is not None
        and path.lower().startswith(prefix.lower() + "/")
        and below.fullmatch(path[len(prefix) :]) is not None
    )


def _repository(command: str) -> str:
    """What `-R` names, as OWNER/NAME at github.com; "" where it does not, or not clearly."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    told = [
        (word.partition("=")[2] if "=" in word else following)
        for word, following in zip(words, [*words[1:], ""], strict=True)
        if word in ("-R", "--repo") or word.startswith("--repo=")
    ]
    clear = len(told) == 1 and not any(re.match(r"-R.", word) for word in words)
    return told[0] if clear and _REPOSITORY.fullmatch(told[0]) else ""
