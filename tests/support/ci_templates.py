"""What a runner of each CI system does with a template: which scripts run, in which shell.

Sources: docs.github.com "Workflow syntax" (`shell`) and "Creating a composite action";
docs.gitlab.com "CI/CD YAML syntax" (`script`, `after_script`); circleci.com "Configuration
reference" (`run`) and "Reusing config"; buildkite.com "Environment variables" (interpolation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


@dataclass(frozen=True, slots=True)
class Step:
    """One script. `always`: it runs also after a failed one, and in a cancelled job."""

    shell: tuple[str, ...]
    script: str
    env: Mapping[str, str]
    always: bool = False


def steps(system: str, text: str, given: Mapping[str, str]) -> list[Step]:
    """The scripts of a job, in their order.

    Args:
        given: inputs that the job gives, by the names of the template's inputs: "command" …
    """
    return _RUNNERS[system](yaml.safe_load(text), given)


def _github(action: dict[str, Any], given: Mapping[str, str]) -> list[Step]:
    assert action["runs"]["using"] == "composite"
    inputs = {name: given.get(name, each.get("default")) for name, each in action["inputs"].items()}
    return [
        Step(
            BASH,
            _plain(step["run"]),
            {k: _put(r"\$\{\{ inputs\.(\w+) \}\}", v, inputs) for k, v in
             step.get("env", {}).items()},
            always=step.get("if") == "always()",
        )
        for step in action["runs"]["steps"]
        if step["shell"] == "bash"
    ]  # fmt: skip


def _gitlab(config: dict[str, Any], given: Mapping[str, str]) -> list[Step]:
    job = config[".taskpass"]
    env = job["variables"] | {f"TASKPASS_{name.upper()}": value for name, value in given.items()}
    # One shell for both, which may be any: its own is the plainest.
    together = "\n".join([*job["before_script"], *job["script"]])
    return [
        Step(("sh", "-e"), together, env),
        Step(("sh", "-e"), "\n".join(job["after_script"]), env, always=True),
    ]


def _circleci(config: dict[str, Any], given: Mapping[str, str]) -> list[Step]:
    command = config["commands"]["taskpass"]
    values = {
        name: given.get(name, each.get("default")) for name, each in command["parameters"].items()
    }
    assert "<<" not in "".join(step["run"]["command"] for step in _runs(command))
    return [
        Step(
            ("bash", "-eo", "pipefail"),
            run["command"],
            {k: _put(r"<< parameters\.(\w+) >>", v, values) for k, v in
             run.get("environment", {}).items()},
            always=run.get("when") == "always",
        )
        for run in (step["run"] for step in _runs(command))
    ]  # fmt: skip


def _runs(command: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in command["steps"] if "run" in step]


def _buildkite(config: dict[str, Any], given: Mapping[str, str]) -> list[Step]:
    (step,) = config["steps"]
    env = step["env"] | {f"TASKPASS_{name.upper()}": value for name, value in given.items()}
    # The upload puts in variables of its own: one that is not doubled would be gone.
    assert not re.search(r"(?<!\$)\$(?!\$)[A-Za-z_{]", step["command"])
    return [Step(("bash", "-e"), step["command"].replace("$$", "$"), env)]


def _plain(script: str) -> str:
    """GitHub puts expressions into scripts as text, where they are code: there are none."""
    assert "${{" not in script
    return script


def _put(pattern: str, text: str, values: Mapping[str, Any]) -> str:
    return re.sub(pattern, lambda found: str(values[found[1]]), text)


_RUNNERS = {
    "github": _github,
    "gitlab": _gitlab,
    "circleci": _circleci,
    "buildkite": _buildkite,
}
