"""Examples beside rules: what a policy says that it covers, and what it does not.

    @match("git push origin main")
    @not_match("git push origin topic")

Several are numbered (`@match2`) or a JSON list in one annotation. An example is a shell command,
or `{"tool": "mcp__server__tool"}` for a tool that is not a shell. It matches when the policy's
own conditions hold for one of its effects, contained or not, whatever other policies say. A
person's and a project's examples are checked whenever their files are loaded, so a rule cannot
rot in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import cedarpy

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.errors import PolicyError
from supervisor.model import Effect, ToolCall, ToolKind
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.source import Layer, Policy, PolicySource

WORKSPACE = "/work/project"
HOME = "/home/ana"

_NAME = re.compile(r"(?P<kind>match|not_match)(?P<number>\d*)")


@dataclass(frozen=True, slots=True)
class Example:
    """One example of one policy."""

    policy: Policy
    text: str
    matches: bool  # what it should do


def examples_of(policy: Policy) -> list[Example]:
    """The examples written at one policy, in their order.

    Raises:
        PolicyError: a JSON list that is none, or an empty example.
    """
    found: list[tuple[str, int, str]] = []
    for name, value in policy.body.get("annotations", {}).items():
        match = _NAME.fullmatch(name)
        if match:
            texts = _texts(policy, name, value or "")
            found += [(match["kind"], int(match["number"] or 0), text) for text in texts]
    found.sort(key=lambda each: each[:2])
    return [Example(policy, text, kind == "match") for kind, _, text in found]


def check(policies: Iterable[Policy]) -> int:
    """Try every example; how many there were.

    Raises:
        PolicyError: naming the policy's file and line, and the first example that fails.
    """
    tried = 0
    for policy in policies:
        for example in examples_of(policy):
            tried += 1
            if not holds(example):
                raise failure(example)
    return tried


def holds(example: Example) -> bool:
    """Whether the example does what it should."""
    return matches(example.policy, example.text) == example.matches


def failure(example: Example) -> PolicyError:
    """What is said about an example that does not hold."""
    kind, does = ("match", "does not cover") if example.matches else ("not_match", "covers")
    return PolicyError(
        f"{example.policy.location}: @{kind} fails: {example.policy.id} {does} {example.text!r}.",
        hint="Correct the rule or the example.",
    )


def matches(policy: Policy, text: str) -> bool:
    """Whether the policy's conditions hold for an effect of the example.

    Raises:
        PolicyError: the example cannot be read.
    """
    return covers(policy, effects_of(_call(policy, text), Place(WORKSPACE, HOME)))


def covers(policy: Policy, effects: tuple[Effect, ...]) -> bool:
    """Whether the policy's conditions hold for one of the effects, contained or not."""
    engine = _alone(policy)
    return any(
        verdict.policies
        for contained in (True, False)
        for verdict in engine.judge(
            effects, Evaluator(engine, contained, WORKSPACE, HOME).situation
        )
    )


@cache
def _engine(text: str) -> CedarEngine:
    return CedarEngine([PolicySource("example", text, Layer.USER)])


def _alone(policy: Policy) -> CedarEngine:
    """An engine that knows this policy only, without its annotations."""
    body = {**policy.body, "annotations": {}}
    document = {"staticPolicies": {"p": body}, "templates": {}, "templateLinks": []}
    return _engine(cedarpy.policies_from_json_str(json.dumps(document)))


def _texts(policy: Policy, name: str, value: str) -> list[str]:
    if not value.startswith("["):
        texts = [value]
    else:
        try:
            texts = json.loads(value)
        except ValueError:
            texts = []
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise PolicyError(
            f"{policy.location}: @{name} is neither an example nor a JSON list of examples.",
            hint='Write @match("git status") or @match("[\\"git status\\", \\"git log\\"]").',
        )
    return texts


def _call(policy: Policy, text: str) -> ToolCall:
    if not text.startswith("{"):
        return ToolCall("", "Bash", ToolKind.SHELL, {"command": text}, WORKSPACE, command=text)
    try:
        tool = json.loads(text)["tool"]
        kind = ToolKind.MCP if tool.startswith("mcp__") else ToolKind.OTHER
        return ToolCall("", tool, kind, {}, WORKSPACE)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PolicyError(
            f"{policy.location}: the example {text!r} names no tool.",
            hint='Write {"tool": "mcp__github__create_issue"}, or a shell command.',
        ) from error
