"""What an evaluation asks about, in our words. Pure but for reading the file system."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from supervisor.effects import effects_of
from supervisor.effects.files import Place, file_effects
from supervisor.model import Effect, ToolCall, ToolKind, Verb

# Members of the context that an answer is bound to; the others are not looked at.
RELEVANT = ("credential", "tool")

_FILES = frozenset({Verb.READ, Verb.WRITE, Verb.DELETE})


class Malformed(Exception):
    """The request is no evaluation; said to the client with status 400."""


@dataclass(frozen=True, slots=True)
class Question:
    """One evaluation, checked."""

    subject: Mapping[str, Any]
    action: Mapping[str, Any]
    resource: Mapping[str, Any]
    context: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Binds subject, action, resource and the relevant context: `sha256:<hex>`."""
        bound = {
            "subject": self.subject,
            "action": self.action,
            "resource": self.resource,
            "context": {name: self.context[name] for name in RELEVANT if name in self.context},
        }
        return f"sha256:{hashlib.sha256(rfc8785.dumps(bound)).hexdigest()}"

    @property
    def title(self) -> str:
        """As a person is asked about it."""
        if self.action["name"] == Verb.RUN:
            return str(self.resource["id"])
        return f"{self.action['name']} {self.resource['id']}"

    def text(self, name: str) -> str:
        """A text of the context, "" where there is none."""
        value = self.context.get(name, "")
        return value if isinstance(value, str) else ""


def question(body: Mapping[str, Any]) -> Question:
    """The evaluation that a request's body asks for; unknown members are ignored.

    Raises:
        Malformed: something that is required is missing, or of another type.
    """
    parts = {name: _entity(body, name) for name in ("subject", "action", "resource")}
    context = body.get("context", {})
    if not isinstance(context, dict):
        raise Malformed("context is not an object")
    asked = Question(parts["subject"], parts["action"], parts["resource"], context)
    try:
        _ = asked.digest
    except (ValueError, RecursionError) as error:
        raise Malformed(f"a value has no canonical form: {error}") from None
    return asked


def _entity(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    entity = body.get(name)
    if not isinstance(entity, dict):
        raise Malformed(f"{name} is missing or not an object")
    for member in ("name",) if name == "action" else ("type", "id"):
        if not isinstance(entity.get(member), str) or not entity[member]:
            raise Malformed(f"{name}.{member} is missing or not a text")
    if not isinstance(entity.get("properties", {}), dict):
        raise Malformed(f"{name}.properties is not an object")
    return entity


def effects(asked: Question, cwd: str, place: Place) -> tuple[Effect, ...]:
    """What the question is about.

    Args:
        cwd: where its task works, in `place`.

    Raises:
        ValueError: it is about nothing that policy knows, in words.
    """
    try:
        verb = Verb(asked.action["name"])
    except ValueError:
        raise ValueError(f"there is no action {asked.action['name']!r}") from None
    resource, kind = str(asked.resource["id"]), asked.resource["type"]
    properties = asked.resource.get("properties", {})
    if verb is Verb.RUN:
        if kind != "command":
            raise ValueError("the resource of run is a command")
        cwd = properties.get("cwd", cwd)
        if not isinstance(cwd, str):
            raise ValueError("cwd is not a text")
        call = ToolCall("", "Bash", ToolKind.SHELL, {"command": resource}, cwd, command=resource)
        return effects_of(call, place)
    if verb in _FILES:
        if not resource.startswith("/"):
            raise ValueError("the path is not absolute")
        found = file_effects(verb, resource, cwd, place)
        if not found:
            raise ValueError("this path is no file")
        return found
    if not all(isinstance(value, str | int | bool) for value in properties.values()):
        raise ValueError("a property is neither a text, a number nor true or false")
    return (Effect(verb, resource, properties),)
