"""Answers that a person gave for good: `rules.toml` among their own policies.

    [[rule]]
    by = "ana@laptop"
    at = 2026-11-23T02:10:00Z
    title = "npm install left-pad"

    [[rule.allow]]
    effect = "install"
    resource = "npm"
    [rule.allow.attributes]
    package = "left-pad"

Each `allow` is one effect, told as narrowly as can be: every attribute in it must be the same
again. What runs whatever it is given (shells, interpreters, wrappers), what cannot be read
beforehand, and what is of high risk is never kept for good.
"""

from __future__ import annotations

import fcntl
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supervisor.errors import ConfigError, PolicyError
from supervisor.model import ApprovalRequest, Effect, Risk, Verb
from supervisor.paths import replace_file
from supervisor.policy.facts import RESOURCE_TYPE
from supervisor.policy.files import read_policy
from supervisor.policy.source import Layer, PolicySource
from supervisor.policy.writing import ANYTHING, quoted

Value = str | int | bool

# The attributes that make an effect the same again. Runs are told by their words; an effect of a
# verb that is not here is told by its resource alone.
_KEPT: Mapping[Verb, tuple[str, ...]] = {
    Verb.RUN: ("argv0", "arguments", "act", "source"),
    Verb.HTTP: ("method", "path", "graphql", "fields", "websocket"),
    Verb.PUSH: ("remote", "url", "ref", "force", "delete", "several", "foreign"),
    Verb.SQL: ("statement", "tables", "remote"),
    Verb.INSTALL: ("manager", "package", "everywhere"),
    Verb.OPERATE: ("system", "operation", "degree", "target"),
}
# Of these, what an effect need not tell, and the file need not say; policy takes it for this.
_USUAL: Mapping[Verb, Mapping[str, Value]] = {
    Verb.HTTP: {"graphql": "", "fields": "", "websocket": False}
}
_HINT = "Correct the file, or remove the rule; it is asked again then."


@dataclass(frozen=True, slots=True)
class Allowed:
    """One effect that is not asked about any more."""

    verb: Verb
    resource: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one answer allows for good."""

    title: str  # what was asked, on one line
    allow: tuple[Allowed, ...]
    credential: str = ""  # the one it would release, "" for none

    def text(self, name: str) -> str:
        """The rule as Cedar policies, which begin with `name` in their ids."""
        return "".join(
            _policy(f"{name}.{number}", self, allowed)
            for number, allowed in enumerate(self.allow, 1)
        )


def propose(request: ApprovalRequest, about: Sequence[Effect]) -> Rule | None:
    """The narrowest rule under which `about`, the effects that asked, are not asked again.

    None where nothing of the kind should be kept for good.
    """
    if request.risk is Risk.HIGH or not about:
        return None
    allow: list[Allowed] = []
    for effect in about:
        allowed = _allowed(effect)
        if allowed is None:
            return None
        if allowed not in allow:
            allow.append(allowed)
    return Rule(_one_line(request.title), tuple(allow), request.credential)


def _allowed(effect: Effect) -> Allowed | None:
    attributes = {**_USUAL.get(effect.verb, {}), **effect.attributes}
    if effect.verb is Verb.RUN and not _may_be_kept(attributes):
        return None
    if effect.verb is Verb.OTHER or not effect.resource:
        return None
    if effect.verb in (Verb.READ, Verb.WRITE, Verb.DELETE) and attributes.get("clear"):
        return None  # everything below a directory is no narrow rule
    if effect.verb is Verb.INSTALL and not attributes.get("package"):
        return None
    kept = {name: attributes[name] for name in _KEPT.get(effect.verb, ()) if name in attributes}
    if len(kept) != len(_KEPT.get(effect.verb, ())):
        return None  # what is not told could be anything the next time
    return Allowed(effect.verb, effect.resource, kept)


def _may_be_kept(run: Mapping[str, Value]) -> bool:
    argv0 = str(run.get("argv0", ""))
    name = argv0.rpartition("/")[2]
    return (
        bool(argv0)
        and run.get("uninspectable") is False
        and run.get("known") is True
        and name not in ANYTHING
        and not re.fullmatch(r"(python|pypy|perl|ruby|node|php|lua)[\d.]*", name)
        and not run.get("source")
        and ("/" not in argv0 or argv0.startswith("/"))
    )


def append(path: Path, rule: Rule, by: str, at: float) -> None:
    """Add a rule to the person's file.

    Args:
        by: the person's label.
        at: POSIX seconds.

    Raises:
        PolicyError: the file is not one of ours any more; nothing was written.
        ConfigError: it cannot be written; it is as it was.
    """
    import tomli_w

    try:
        # Two screens may answer at once.
        with path.with_name(path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            document = _read(path)
            document.setdefault("rule", []).append(_table(rule, by, at))
            text = tomli_w.dumps(document)
            _source(text, path)
            replace_file(path, text.encode())
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}.", hint="Check the directory and the disk."
        ) from error


def _table(rule: Rule, by: str, at: float) -> dict[str, Any]:
    allow = [
        {"effect": a.verb.value, "resource": a.resource, "attributes": _unusual(a)}
        for a in rule.allow
    ]
    told = {"by": by, "at": datetime.fromtimestamp(int(at), UTC), "title": rule.title}
    return told | ({"credential": rule.credential} if rule.credential else {}) | {"allow": allow}


def _unusual(allowed: Allowed) -> dict[str, Value]:
    usual = _USUAL.get(allowed.verb, {})
    return {k: v for k, v in allowed.attributes.items() if usual.get(k) != v}


def load_rules(path: Path) -> PolicySource:
    """The person's rules as policies of their own layer; none where there is no file.

    Raises:
        PolicyError: the file cannot be read or used; the message names the line or the rule.
    """
    return _source(read_policy(path) if path.exists() else "", path)


def _read(path: Path) -> dict[str, Any]:
    return _parse(read_policy(path) if path.exists() else "", path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: {error}.", hint=_HINT) from None


def _source(text: str, path: Path) -> PolicySource:
    document = _parse(text, path)
    if document.keys() - {"rule"}:
        raise _wrong(path, 0, f"there is no {sorted(document.keys() - {'rule'})[0]!r}")
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        raise _wrong(path, 0, "rules are written [[rule]]")
    rules = [_rule(table, path, number) for number, table in enumerate(tables, 1)]
    texts = [rule.text(f"rules/{number}") for number, rule in enumerate(rules, 1)]
    return PolicySource(str(path), _aligned(texts, text), Layer.USER)


def _aligned(policies: Sequence[str], text: str) -> str:
    """The policies, each on the line of the file where its rule begins."""
    begins = [at for at, line in enumerate(text.splitlines()) if line.strip() == "[[rule]]"]
    if len(begins) != len(policies):
        return "".join(policies)
    lines = [""] * (begins[-1] + 1 if begins else 0)
    for at, policy in zip(begins, policies, strict=True):
        lines[at] = policy.replace("\n", " ")
    return "\n".join(lines)


def _rule(table: Any, path: Path, number: int) -> Rule:
    known = {"by", "at", "title", "credential", "allow"}
    if not isinstance(table, dict) or table.keys() - known or not table.get("allow"):
        raise _wrong(path, number, f"it holds {', '.join(sorted(known))}, and no more")
    texts = [table.get(name, "") for name in ("by", "title", "credential")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(table["allow"], list):
        raise _wrong(path, number, "by, title and credential are texts, allow is a list")
    allow = tuple(_allow(entry, path, number) for entry in table["allow"])
    return Rule(_one_line(table.get("title", "")), allow, table.get("credential", ""))


def _allow(entry: Any, path: Path, number: int) -> Allowed:
    if not isinstance(entry, dict) or entry.keys() - {"effect", "resource", "attributes"}:
        raise _wrong(path, number, "allow holds effect, resource and attributes")
    attributes, resource = entry.get("attributes", {}), entry.get("resource")
    if not isinstance(resource, str) or not resource or not isinstance(attributes, dict):
        raise _wrong(path, number, "resource is a text, attributes a table")
    try:
        verb = Verb(str(entry.get("effect")))
    except ValueError:
        raise _wrong(path, number, f"there is no effect {entry.get('effect')!r}") from None
    attributes = {**_USUAL.get(verb, {}), **attributes}
    if attributes.keys() != set(_KEPT.get(verb, ())):
        names = ", ".join(_KEPT.get(verb, ())) or "none"
        raise _wrong(path, number, f"the attributes of {verb.value} are: {names}")
    if not all(isinstance(value, str | bool | int) for value in attributes.values()):
        raise _wrong(path, number, "attributes are texts, numbers or true and false")
    return Allowed(verb, resource, attributes)


def _wrong(path: Path, number: int, what: str) -> PolicyError:
    where = f"{path}: rule {number}" if number else str(path)
    return PolicyError(f"{where}: {what}.", hint=_HINT)


def _policy(name: str, rule: Rule, allowed: Allowed) -> str:
    conditions = [f"context.{key} == {_cedar(value)}" for key, value in allowed.attributes.items()]
    if allowed.verb is Verb.RUN:
        conditions += ["context.known", "!context.uninspectable"]
    conditions.append(f"context.call.credential == {quoted(rule.credential)}")
    words = f"you allowed this for good: {rule.title}"
    return (
        f"@id({quoted(name)})\n@description({quoted(words)})\n"
        f'permit (principal, action == Action::"{allowed.verb.value}", '
        f"resource == {RESOURCE_TYPE[allowed.verb]}::{quoted(allowed.resource)})\n"
        f"when {{ {' && '.join(conditions)} }};\n"
    )


def _cedar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)


def _one_line(text: str, limit: int = 200) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:limit].strip()
