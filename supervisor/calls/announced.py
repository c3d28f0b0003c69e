"""What a use does that its call announced: judged by the same rules, and not asked twice. Pure.

A call says beforehand where its command pushes; the wire says later where it does. Where both say
the same, the wire's effect goes by the names that the call used.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from supervisor.effects.http import http_effect
from supervisor.effects.remotes import place
from supervisor.model import Call, CredentialSpec, Effect, ToolKind, Verb


def by_https(effects: Iterable[Effect], specs: Iterable[CredentialSpec]) -> list[Effect]:
    """The effects of a call, its git connections by SSH as what they become.

    In a task the SSH addresses of hosts that a credential is bound to lead to HTTPS
    (`channels.git.environment`).
    """
    hosts = {host for spec in specs for host in spec.hosts}
    return [_led(effect, hosts) for effect in effects]


def _led(effect: Effect, hosts: Container[str]) -> Effect:
    where = effect.attributes.get("git") if effect.verb is Verb.CONNECT else None
    if not isinstance(where, str) or where.partition("/")[0] not in hosts:
        return effect
    return http_effect(f"https://{where}")


def as_announced(call: Call, effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """The effects, each push by the names under which the call announced it.

    A request that only carries an MCP call to its server is that call.
    """
    if len(effects) == 1 and _carries(call, effects[0]):
        return call.effects[:1]
    return tuple(_named(call, effect) for effect in effects)


def _carries(call: Call, effect: Effect) -> bool:
    tool_call = call.tool_call
    if tool_call.kind is not ToolKind.MCP or not tool_call.url or effect.verb is not Verb.HTTP:
        return False
    server = http_effect(tool_call.url)
    same = effect.attributes.get("path") == server.attributes["path"]
    return same and effect.resource == server.resource


def announced(call: Call, effect: Effect) -> Effect | None:
    """The push of this call's that covers `effect`: the same place and ref, and no less force."""
    if effect.verb is not Verb.PUSH:
        return None
    return next((each for each in call.effects if _covers(each, effect)), None)


def _covers(said: Effect, done: Effect) -> bool:
    if said.verb is not Verb.PUSH:
        return False
    told, found = said.attributes, done.attributes
    where = place(str(told.get("url", "")))
    return (
        bool(where)
        and where == place(str(found.get("url", "")))
        and _same_ref(str(told.get("ref", "")), str(found.get("ref", "")))
        and (bool(told.get("force")) or not found.get("force"))
        and (bool(told.get("delete")) or not found.get("delete"))
    )


def _same_ref(said: str, done: str) -> bool:
    """`done`: a branch by its name, anything else in full (`refs/tags/v1`)."""
    if said.endswith("*"):
        prefix = said[:-1]
        return not prefix.endswith("*") and (not prefix or done.startswith(prefix))
    tag = done.removeprefix("refs/tags/")
    return said == done or (tag != done and said in (tag, f"tags/{tag}"))


def _named(call: Call, effect: Effect) -> Effect:
    said = announced(call, effect)
    if said is None:
        return effect
    told, found = said.attributes, effect.attributes
    return replace(
        effect,
        resource=f"{told['remote']} {found['ref']}",
        attributes={
            **found,
            "remote": told["remote"],
            "url": told["url"],
            # How the force is checked is not on the wire: the client has done it.
            "checked": bool(found["force"]) and bool(told.get("checked")),
            "protected": bool(found["protected"]) or bool(told.get("protected")),
            "foreign": told["foreign"],
        },
    )
