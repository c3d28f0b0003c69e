"""Keycard's local policy.cedar.

Source: docs.keycard.ai and the reference in its published plugins. `Action::"Agent::ToolUse"` on
`Tool::"bash"` or `Tool::"mcp__server__tool"` (in any case), `context.command`, `User::"mail"`;
forbid goes first, annotations of all permits that match count, so that one `@itl` asks, and what
nothing permits is denied.

A condition on `context.command` holds for every simple command of a call, not for its text as a
whole, so that `git status; rm -rf x` is not a git command. What a permitted command then touches
is still judged by the policies in force.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cedarpy

from supervisor.errors import PolicyError
from supervisor.model import Outcome, Verb
from supervisor.policy.importers.rules import Imported, Rule
from supervisor.policy.source import pieces
from supervisor.policy.writing import either

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

_SHELL = "bash"
_ACTION = "Agent::ToolUse"
_REST = tuple(verb.value for verb in Verb if verb is not Verb.RUN)  # what the other tools do
_COMMAND: Any = {".": {"left": {"Var": "context"}, "attr": "command"}}
_HAS_COMMAND: Any = {"left": {"Var": "context"}, "attr": "command"}
_TEXT: Any = {".": {"left": {"Var": "context"}, "attr": "text"}}
_PROGRAM: Any = {".": {"left": {"Var": "context"}, "attr": "program"}}
_ARGUMENTS: Any = {".": {"left": {"Var": "context"}, "attr": "arguments"}}
_TOOL: Any = {".": {"left": {".": {"left": {"Var": "context"}, "attr": "call"}}, "attr": "tool"}}


class _NotCarried(Exception):
    """Why a policy has no counterpart."""


def read(text: str, file: Path, options: Options) -> Imported:
    """The policies of one file.

    Raises:
        PolicyError: naming file and line of what is no Cedar.
    """
    rules: list[Rule] = []
    notes: list[str] = []
    lost: list[str] = []
    for offset, piece in pieces(text):
        where = f"{file.name}:{text.count(chr(10), 0, offset) + 1}"
        policy = _parse(piece, where)
        forbids = policy["effect"] == "forbid"
        try:
            found, about = _rules(policy, where, options.mail)
            rules += found
            notes += [f"{where}: {each}" for each in about]
        except _NotCarried as reason:
            (lost if forbids else notes).append(f"{where}: {reason}")
    rules += _otherwise(rules, file.name)
    return Imported("keycard", tuple(rules), tuple(notes), tuple(lost))


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise PolicyError(f"{where}:1: {error}.", hint="It must be Cedar.") from None
    policies: list[dict[str, Any]] = list(document["staticPolicies"].values())
    if len(policies) != 1:
        raise PolicyError(f"{where}:1: templates are not used here.", hint="Write it out.")
    return policies[0]


def _rules(policy: dict[str, Any], where: str, mail: str) -> tuple[list[Rule], list[str]]:
    notes: list[str] = []
    annotations = policy.get("annotations", {})
    forbids = policy["effect"] == "forbid"
    itl = "itl" in annotations
    if not _is_tool_use(policy["action"]):
        raise _NotCarried(f'only Action::"{_ACTION}" is known')
    if not _is_for(policy["principal"], mail, forbids, notes):
        return [], ["it is for another person than --mail"]
    expression = _both(_resource(policy["resource"]), *map(_body, policy.get("conditions", [])))
    if forbids and itl:
        notes.append("a forbid with @itl refuses here")
    outcome = Outcome.DENY if forbids else Outcome.ASK if itl else Outcome.ALLOW
    words = annotations.get("description") or ("Keycard's policy asks" if itl else "")
    if "credentials" in annotations:
        name = annotations["credentials"]
        notes.append(f"@credentials({name!r}): which credential is lent is not up to policy here")
    rules = []
    of_shell = _simplified(expression, of_shell=True)
    of_shell = _rewrite(_without_quotes(of_shell) if forbids else of_shell)
    if of_shell is not False:
        rules.append(Rule(outcome, ("run",), _cedar(of_shell), where, words))
    # Another tool has no command: a policy that looks at it there errs, and does not apply.
    of_rest = _simplified(expression, of_shell=False)
    if of_rest is not False and not _speaks_of_commands(of_rest):
        condition = _cedar(_rewrite(_both(_TOOL_GIVEN, of_rest)))
        rules.append(Rule(outcome, _REST, condition, where, words))
    if outcome is Outcome.ALLOW and of_shell is True:
        notes.append("it permits every command; what policies in force forbid stays forbidden")
    return rules, notes


def _otherwise(rules: list[Rule], name: str) -> list[Rule]:
    """What nothing permits is denied."""
    closing = []
    for actions, scope in (
        (("run",), ""),
        (_REST, 'context.call.tool != "" && context.call.tool != "bash" && '),
    ):
        permits = [
            rule.condition or "true"
            for rule in rules
            if rule.outcome is not Outcome.DENY and rule.actions == actions
        ]
        condition = f"{scope}!({either(permits) or 'false'})"
        words = "Nothing in Keycard's policy permits this."
        closing.append(Rule(Outcome.DENY, actions, condition, f"{name}: the rest", words))
    return closing


# ── Scope ───────────────────────────────────────────────────────────────────────────────────


def _is_tool_use(scope: dict[str, Any]) -> bool:
    entities = [scope["entity"]] if "entity" in scope else scope.get("entities", [])
    return scope["op"] == "All" or any(
        entity == {"type": "Action", "id": _ACTION} for entity in entities
    )


def _is_for(scope: dict[str, Any], mail: str, forbids: bool, notes: list[str]) -> bool:
    if scope["op"] == "All" or (scope["op"] == "is" and scope.get("entity_type") == "User"):
        return True
    named = scope.get("entity", {}).get("id", "")
    if scope.get("entity", {}).get("type") != "User" or "slot" in scope:
        raise _NotCarried("its principal is no User")
    if not mail:
        if forbids:
            notes.append(f"it is for {named}; without --mail it refuses whoever it is")
            return True
        raise _NotCarried(f"it is for {named}; say --mail {named} if that is you")
    return bool(named.casefold() == mail.casefold())


def _resource(scope: dict[str, Any]) -> Any:
    """The scope's resource as an expression about the tool."""
    if scope["op"] == "All" or (scope["op"] == "is" and scope.get("entity_type") == "Tool"):
        return True
    entity = scope.get("entity", {})
    if scope["op"] != "==" or entity.get("type") != "Tool":
        raise _NotCarried("its resource is no Tool")
    return {"==": {"left": {"Var": "resource"}, "right": {"Value": {"__entity": entity}}}}


# ── Expressions, in Cedar's JSON form ───────────────────────────────────────────────────────

_TOOL_GIVEN: Any = {
    "&&": {
        "left": {"!=": {"left": _TOOL, "right": {"Value": ""}}},
        "right": {"!=": {"left": _TOOL, "right": {"Value": _SHELL}}},
    }
}


def _body(condition: dict[str, Any]) -> Any:
    body = condition["body"]
    return body if condition["kind"] == "when" else {"!": {"arg": body}}


def _both(*expressions: Any) -> Any:
    whole: Any = True
    for each in expressions:
        if each is not True:
            whole = each if whole is True else {"&&": {"left": whole, "right": each}}
    return whole


def _tool_of(node: Any) -> str | None:
    """`resource == Tool::"x"` → "x"."""
    sides = node.get("==") if isinstance(node, dict) else None
    if not sides:
        return None
    for one, other in ((sides["left"], sides["right"]), (sides["right"], sides["left"])):
        entity = other.get("Value", {}) if isinstance(other, dict) else {}
        named = entity.get("__entity", {}) if isinstance(entity, dict) else {}
        if one == {"Var": "resource"} and named.get("type") == "Tool":
            return str(named["id"]).lower()
    return None


def _simplified(expression: Any, *, of_shell: bool) -> Any:
    """The expression where the tool is the shell, or is not: True or False where that decides."""
    if isinstance(expression, bool):
        return expression
    named = _tool_of(expression)
    if named is not None and (of_shell or named == _SHELL):
        return of_shell and named == _SHELL
    if expression.get("has") == _HAS_COMMAND:
        return of_shell
    for form, stops in (("&&", False), ("||", True)):
        if form in expression:
            left = _simplified(expression[form]["left"], of_shell=of_shell)
            right = _simplified(expression[form]["right"], of_shell=of_shell)
            if stops in (left, right):
                return stops
            if isinstance(left, bool):
                return right
            return left if isinstance(right, bool) else {form: {"left": left, "right": right}}
    if "!" in expression:
        inner = _simplified(expression["!"]["arg"], of_shell=of_shell)
        return not inner if isinstance(inner, bool) else {"!": {"arg": inner}}
    return expression


def _speaks_of_commands(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_speaks_of_commands, node))
    if not isinstance(node, dict):
        return False
    if node == _COMMAND or node.get("has") == _HAS_COMMAND:
        return True
    return any(map(_speaks_of_commands, node.values()))


def _without_quotes(node: Any) -> Any:
    """A refusal by the text of a command holds for the words of it as well, however quoted."""
    if isinstance(node, list):
        return [_without_quotes(each) for each in node]
    if not isinstance(node, dict):
        return node
    form = node.get("like")
    if not form or form["left"] != _COMMAND:
        return {name: _without_quotes(value) for name, value in node.items()}
    pattern: list[Any] = form["pattern"]
    blank, star = {"Literal": " "}, "Wildcard"
    if pattern[:1] == [star]:
        words = {"like": {"left": _ARGUMENTS, "pattern": pattern}}
    elif blank in pattern and star not in pattern[: pattern.index(blank)]:
        at = pattern.index(blank)
        program = "".join(each["Literal"] for each in pattern[:at])
        rest = {"like": {"left": _ARGUMENTS, "pattern": pattern[at + 1 :]}}
        same = {"==": {"left": _PROGRAM, "right": {"Value": program}}}
        words = {"&&": {"left": same, "right": rest}}
    else:
        return node
    return {"||": {"left": node, "right": words}}


def _rewrite(node: Any) -> Any:
    """In our words. Raises _NotCarried where there are none."""
    if isinstance(node, list):
        return [_rewrite(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node in (_TOOL, _TEXT, _PROGRAM, _ARGUMENTS):
        return node
    if node == _COMMAND:
        return _TEXT
    named = _tool_of(node)
    if named is not None:
        return {"==": {"left": _TOOL, "right": {"Value": named}}}
    if "Var" in node:
        raise _NotCarried(f"it looks at {node['Var']} in a way that is not known here")
    return {name: _rewrite(value) for name, value in node.items()}


def _cedar(expression: Any) -> str:
    """An expression as text; "" for one that always holds."""
    if expression is True:
        return ""
    scope = {"op": "All"}
    policy = {
        "effect": "permit",
        "principal": scope,
        "action": scope,
        "resource": scope,
        "conditions": [{"kind": "when", "body": expression}],
    }
    document = {"staticPolicies": {"p": policy}, "templates": {}, "templateLinks": []}
    text: str = cedarpy.policies_from_json_str(json.dumps(document))
    return text[text.index("{") + 1 : text.rindex("}")].strip()
