"""What policy is told about one effect: the `context` of its Cedar request."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from supervisor.model import Effect, Evidence, Runtime, Verb
from supervisor.policy.hosts import nature, split_host
from supervisor.ports import Situation

# Written anywhere in a command: also where no effect names the host.
_METADATA_TEXT = re.compile(
    r"169\.254\.169\.254|169\.254\.170\.2|metadata\.google\.internal|100\.100\.100\.200"
    r"|fd00:ec2::254|metadata\.azure\.internal|168\.63\.129\.16",
    re.IGNORECASE,
)

_SUPERVISOR = re.compile(r"taskpass|supervisor", re.IGNORECASE)
# Names by which projects call what changes a live system.
_PART = re.compile(r"[a-z]+")
_DEPLOYMENTS = frozenset({"deploy", "deployment", "publish", "promote", "rollback", "rollout"})
_LIVE = frozenset({"prod", "production", "staging", "live"})
_CHANGES = frozenset(
    {"migrate", "migration", "migrations", "apply", "seed", "restore", "sync", "release", "reset"}
    | {"push", "update", "upgrade", "provision", "destroy"}
)
_SCRIPTS = frozenset({"", "sh", "bash", "py", "js", "mjs", "cjs", "ts", "mts", "rb", "pl", "php"})
# Names that mean less: output to a directory, and a step back of the database of this checkout.
_LOCAL = frozenset(
    {("dotnet", "publish"), ("php", "migrate:rollback"), ("artisan", "migrate:rollback")}
    | {("rails", "db:rollback"), ("rake", "db:rollback")}
)
_TESTS = frozenset({"test", "tests", "spec", "specs", "md", "rst", "lint", "check", "dry", "plan"})

_FILE: dict[str, str | int | bool] = {
    "name": "",
    "folded": "",
    "inside": False,
    "temporary": False,
    "home": True,
    "root": False,
    "clear": True,
    "label": "",
    "content": "unknown",
    "passing": False,
}

# Attributes an effect hands on, with the value that stands for "not told": the strict one.
_TOLD: Mapping[Verb, Mapping[str, str | int | bool]] = {
    Verb.RUN: {
        "program": "",
        "argv0": "",
        "arguments": "",
        "subcommand": "",
        "text": "",
        "known": False,
        "uninspectable": True,
        "why": "",
        "act": "",
        "source": "",
    },
    Verb.READ: _FILE,
    Verb.WRITE: _FILE,
    Verb.DELETE: _FILE,
    Verb.HTTP: {
        "method": "",
        "path": "",
        "graphql": "",
        "fields": "",
        "push": False,
        "lfs": "",
        "websocket": False,
    },
    Verb.CONNECT: {"unlisted": False},  # announced, it is the task's own loopback
    Verb.PUSH: {
        "remote": "",
        "url": "",
        "ref": "",
        "force": True,
        "checked": False,
        "delete": True,
        "protected": True,
        "several": True,
        "foreign": True,
    },
    Verb.SQL: {"statement": "other", "tables": "", "remote": True},
    Verb.INSTALL: {"manager": "", "package": "", "everywhere": True},
    Verb.OPERATE: {"system": "", "operation": "", "degree": "destroy", "target": ""},
    Verb.MCP: {"server": "", "tool": "", "reads": False, "browser": False, "arguments": "\n"},
    Verb.SPAWN: {},
    Verb.OTHER: {"kind": "other"},
}

RESOURCE_TYPE: Mapping[Verb, str] = {
    Verb.RUN: "Program",
    Verb.READ: "Path",
    Verb.WRITE: "Path",
    Verb.DELETE: "Path",
    Verb.CONNECT: "Host",
    Verb.HTTP: "Host",
    Verb.PUSH: "Ref",
    Verb.SQL: "Database",
    Verb.INSTALL: "Package",
    Verb.OPERATE: "Operation",
    Verb.MCP: "Tool",
    Verb.SPAWN: "Subagent",
    Verb.OTHER: "Tool",
}


def context_of(
    effect: Effect, call: dict[str, Any], protected: Sequence[str], runtime: Runtime
) -> dict[str, Any]:
    """The context record for `effect`, as schema.cedarschema declares it.

    Raises:
        TypeError: an attribute has another type than the schema says.
        ValueError: the port is not a number, or a text is not Unicode (UnicodeEncodeError).
    """
    context: dict[str, Any] = {"call": call}
    attributes = effect.attributes
    if not effect.resource.isascii():
        effect.resource.encode()
    for name, strict in _TOLD[effect.verb].items():
        value = attributes.get(name, strict)
        if type(value) is not type(strict):
            raise TypeError(f"{name} of {effect.verb} is a {type(value).__name__}")
        if isinstance(value, str) and not value.isascii():
            value.encode()
        context[name] = value
    if effect.verb in (Verb.READ, Verb.WRITE, Verb.DELETE):
        folded = effect.resource.casefold()
        context["folded"] = folded
        context["name"] = folded.rpartition("/")[2]
        for path in protected:
            if effect.resource == path or effect.resource.startswith(path + "/"):
                context["label"] = "ours"
        context["guarded"] = effect.verb is not Verb.READ and _guarded(effect, runtime)
        let = (*runtime.let_write, *(runtime.let_read if effect.verb is Verb.READ else ()))
        context["let"] = any(_within(effect.resource, path) for path in let)
        context["masked"] = any(_within(effect.resource, path) for path in runtime.masked)
    elif effect.verb in (Verb.HTTP, Verb.CONNECT):
        host, port = split_host(effect.resource)
        told = attributes.get("port")
        context["host"] = host
        context["port"] = port or (told if isinstance(told, int) else 0) or 443
        kind = nature(host)
        context["loopback"], context["metadata"] = kind.loopback, kind.metadata
        context["public"] = kind.public
    elif effect.verb is Verb.RUN:
        context["program"] = context["program"] or effect.resource
        context["metadata"] = _METADATA_TEXT.search(context["text"]) is not None
        if context["act"] == "signal" and _SUPERVISOR.search(context["arguments"]):
            context["act"] = "supervisor"
        project = context["act"] == "project"
        context["deploys"] = project and _deploys(context["program"], context["arguments"])
    return context


def _guarded(effect: Effect, runtime: Runtime) -> bool:
    """Whether the container lets nobody change what this effect would change."""
    path = effect.resource
    guarded = [len(each) for each in runtime.guarded if _within(path, each)]
    if guarded:
        writable = [len(each) for each in runtime.writable if _within(path, each)]
        return max(guarded) >= max(writable, default=0)
    # Nothing of it goes while something in it has to stay.
    return effect.verb is Verb.DELETE and any(_within(each, path) for each in runtime.guarded)


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")


def _deploys(program: str, arguments: str) -> bool:
    """Whether a program of the project, or the task it is to run, says that it deploys."""
    if "--dry-run" in arguments:
        return False
    words = [program, *(word for word in arguments.split() if not word.startswith("-"))]
    for word in words:
        name, _, kind = word.rpartition("/")[2].casefold().partition(".")
        parts = set(_PART.findall(name))
        if kind not in _SCRIPTS or parts & _TESTS or (program, name) in _LOCAL:
            continue
        task = name.rpartition(":")[2]
        outward = program == "gradlew" and task.startswith(("publish", "closeandrelease"))
        if outward and "local" not in task:
            return True
        if parts & _DEPLOYMENTS or (parts & _LIVE and parts & _CHANGES):
            return True
    return False


def call_of(situation: Situation) -> dict[str, Any]:
    """The `call` record, the same for every effect."""
    return {
        "identity": situation.call_identity.value,
        "subagent": situation.subagent,
        "credential": situation.credential,
        "tool": situation.tool,
        "open": situation.open_calls,
        "total": situation.total_calls,
        "unread": situation.unread,
        "budget": {"calls": situation.budget.calls, "seconds": situation.budget.seconds},
    }


def entities_of(situation: Situation) -> list[dict[str, Any]]:
    """The task and what it belongs to."""
    task = situation.task
    job = task.runtime.job
    evidence = task.user.evidence(time.time())
    verified = task.user.verified if evidence is Evidence.OIDC else None
    owners = [
        {"type": "User", "id": task.user.label},
        {"type": "Agent", "id": task.agent.profile},
        {"type": "Runtime", "id": task.runtime.kind},
    ]
    attributes = {
        "contained": task.runtime.tier.contained,
        "tier": task.runtime.tier.value,
        "containment": task.runtime.containment,
        "evidence": task.runtime.evidence.value,
        "user_evidence": evidence.value,
        "user_subject": f"{verified.issuer} {verified.subject}" if verified else "",
        "job": f"{job.system}:{job.repository_id}" if job else "",
        "job_ref": job.ref if job else "",
        "job_protected": job is not None and job.protected,
        "holes": len(task.runtime.holes),
        "workspace": situation.workspace,
        "repository": task.repository,
        "branch": task.branch,
        "purpose": task.purpose,
        "preset": task.preset,
        "child": bool(task.parent),
    }
    itself = {"uid": {"type": "Task", "id": task.id}, "attrs": attributes, "parents": owners}
    return [itself, *({"uid": owner, "attrs": {}, "parents": []} for owner in owners)]
