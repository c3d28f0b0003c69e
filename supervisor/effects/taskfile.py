"""Tasks of a Taskfile.yml (go-task, taskfile.dev/reference/schema) as the shell text they run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from supervisor.effects.follow import Expansion, Target, lines_of

if TYPE_CHECKING:
    from supervisor.effects.plainyaml import Value

_TEMPLATE = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}|\{\{[^{}]*\}\}")


def task_text(text: str, goals: Sequence[str], given: Mapping[str, str]) -> str | None:
    """The shell text that `task NAME…` runs by the Taskfile `text`, each command on its own.

    Without names it is that of `default`. `given` are variables from the command line. Values
    that only task knows stand as a variable that is not set. None when a task is not written out
    in the file, or the file is not read here.

    Raises:
        Endless: see there.
    """
    from supervisor.effects.plainyaml import NotPlain, read_yaml  # few commands need a YAML reader

    try:
        whole = read_yaml(text)
    except NotPlain:
        return None
    tasks = whole.get("tasks") if isinstance(whole, dict) else None
    if not isinstance(whole, dict) or not isinstance(tasks, dict):
        return None
    targets: dict[str, Target] = {}
    shared, expansion = whole.get("vars"), Expansion(_TEMPLATE)
    for name, body in tasks.items():
        target = _target(body, shared, given, expansion)
        if target is None:
            return None
        aliases = body.get("aliases") if isinstance(body, dict) else None
        for each in (name, *(a for a in _items(aliases) if isinstance(a, str))):
            targets[each] = target
    lines = lines_of(targets, [*goals] or ["default"])
    return None if lines is None else "\n".join(lines)


def _target(
    body: Value, shared: Value | None, given: Mapping[str, str], expansion: Expansion
) -> Target | None:
    """What a task needs and runs; None where it says so in a way that is not known."""
    if not isinstance(body, dict):
        body = {"cmds": body if isinstance(body, list) else [body] if body else []}
    target = Target()
    values: dict[str, str] = {}
    commands: list[Value] = []
    for variables in (shared, body.get("vars")):
        for name, value in variables.items() if isinstance(variables, dict) else ():
            if isinstance(value, str):
                values[name] = value
            elif isinstance(value, dict) and "sh" in value:
                commands.append(value["sh"])
    values.update(given)
    directory = body.get("dir")
    for need in _items(body.get("deps")):
        needed = need.get("task") if isinstance(need, dict) else need
        if not isinstance(needed, str):
            return None
        target.needs.append(needed)
    checks = [*_items(body.get("status")), *_items(body.get("preconditions"))]
    commands += [check.get("sh", "") if isinstance(check, dict) else check for check in checks]
    commands += [*_items(body.get("cmds")), *_items(body.get("cmd"))]
    for command in commands:
        if isinstance(command, dict) and "defer" in command:
            command = command["defer"]
        if isinstance(command, dict) and isinstance(command.get("task"), str):
            target.needs.append(str(command["task"]))
            continue
        line = command.get("cmd") if isinstance(command, dict) else command
        if not isinstance(line, str):
            return None
        into = f"cd {directory}\n" if isinstance(directory, str) and directory else ""
        if line:
            target.lines.append(f"({expansion.text(into + line, values)}\n)")
    return target


def _items(value: Value | None) -> list[Value]:
    if isinstance(value, list):
        return value
    return [value] if value else []
