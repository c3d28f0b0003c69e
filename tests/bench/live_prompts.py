"""How often real agents at ordinary work are interrupted under `taskpass run`.

    python -m tests.bench.live_prompts [--calls N] [--first N]

Real Claude Code and real Codex make N calls each of the sessions in `sessions.jsonl`, as a
scripted model tells them, in a git repository of their own. Whoever answers approves each question
for the task. Printed: questions for each hundred announced calls. The programs a session names are
mostly not installed: what is counted is what was asked before they would have run.
The corpus is found by TASKPASS_CORPORA (`../shared/corpora`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.call import serving
from tests.bench.support import installed, last_line
from tests.support import corpora
from tests.support.agents import CLAUDE, CODEX, RealAgent, real_agent
from tests.support.live import TASKPASS, Install, Person
from tests.support.scripted_model import ScriptedModel, call
from tests.support.supervised import Supervised, supervise

_PER_CALL = 4000  # milliseconds a command may take: what it does is not measured
# Tools that both the corpus and an agent without servers of its own have.
_TOOLS = {"claude-code": {"Bash", "Read", "Edit", "Write", "Grep", "Glob"}, "codex": {"Bash"}}


def steps(rows: list[dict[str, Any]], agent: Supervised, home: Path) -> list[dict[str, Any]]:
    """The rows as calls of this agent's tools, at the place they are made in."""

    def here(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("$WS", str(agent.install.project)).replace("$HOME/", f"{home}/")
        if isinstance(value, Mapping):
            return {key: here(inner) for key, inner in value.items()}
        return [here(inner) for inner in value] if isinstance(value, list) else value

    made = []
    for row in rows:
        arguments = here(row["input"])
        if not agent.is_claude:
            made.append(call("exec_command", cmd=arguments["command"], yield_time_ms=_PER_CALL))
        elif row["tool"] == "Bash":
            made.append(call("Bash", **arguments, timeout=_PER_CALL))
        else:
            made.append(call(row["tool"], **arguments))
    return made


def run(install: Install, agent: RealAgent, count: int, first: int) -> dict[str, float]:
    """One agent's session, and what its ledger says of it."""
    label = agent.label
    rows = [
        row
        for row in corpora.rows("sessions")
        if row["agent"] == label and row["tool"] in _TOOLS[label]
    ][first : first + count]
    model = ScriptedModel()
    with serving(model), Person(install) as person:
        person.answers("", scope="task", minutes=60)
        supervised = supervise(agent, install, model)
        environ = supervised.environ | {"PATH": f"{agent.path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*TASKPASS, "run", "--headless", "--",
             *supervised.argv(*steps(rows, supervised, install.home))],
            cwd=install.project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20 * 60,
            check=False,
        )  # fmt: skip
    task = install.records("task.started")[-1]["task"]
    records = [record for record in install.records() if record.get("task") == task]
    kinds = Counter(record["kind"] for record in records)
    announced = kinds["call.opened"] + kinds["call.denied"]
    if announced < count * 0.8:
        sys.exit(f"{label} announced {announced} of {count} calls: {done.stdout}{done.stderr}")
    for record in records:
        if record["kind"] == "approval.asked":
            print(f"{label} asked: {record['title'][:100]!r} ({', '.join(record['policies'])})")
    return {
        "announced": announced,
        "asked": kinds["approval.asked"],
        "denied": kinds["call.denied"],
        "prompts_per_100": 100 * kinds["approval.asked"] / announced,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="where in the sessions to begin")
    arguments = parser.parse_args()
    agents = [real_agent(CLAUDE, "claude"), real_agent(CODEX, "codex")]
    figures: dict[str, float] = {}
    versions = {}
    for agent in agents:
        with installed() as install:
            subprocess.run(["git", "init", "-q", install.project], check=True)
            told = run(install, agent, arguments.calls, arguments.first)
        versions[agent.label] = agent.version
        figures |= {f"{agent.label}_{name}": value for name, value in told.items()}
    announced = sum(figures[f"{agent.label}_announced"] for agent in agents)
    asked = sum(figures[f"{agent.label}_asked"] for agent in agents)
    last_line("live_prompts", {"prompts_per_100": 100 * asked / announced, **figures}, versions)


if __name__ == "__main__":
    main()
