"""What taskpass adds to a tool call of each real agent.

    python -m tests.bench.agents [--agents NAME,…] [--calls N] [--rounds N]

Each agent makes calls of `true` in its shell tool as a scripted model tells it, by itself and under
`taskpass run` in turn. The time between two requests at the model is what one call takes. A line of
JSON for each agent, and one for all in the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping

from tests.bench.call import agent_times
from tests.bench.support import installed, last_line, ledger_head, report_rows
from tests.support.every_agent import WAYS
from tests.support.live import Install
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import Supervised, supervise

# By itself Codex would hold its tools in a sandbox of its own, which is off in ours: not compared.
# The others would ask before each call, and there is nobody.
_ALONE = {
    "codex": ("--dangerously-bypass-approvals-and-sandbox",),
    "gemini": ("--approval-mode=yolo",),
    "qwen": ("--approval-mode=yolo",),
}


def figures(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Medians in milliseconds."""
    without, within = (statistics.median(times[name]) * 1e3 for name in ("without", "with"))
    return {
        "no_hook_p50_ms": without,
        "with_taskpass_p50_ms": within,
        "added_p50_ms": within - without,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", default=",".join(WAYS), help="of: %(default)s")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, float] = {}
    versions: dict[str, str] = {}
    rows = 0
    for name in arguments.agents.split(","):
        with installed() as install:
            install.cli("ps")  # a cold start is not what is measured
            before = ledger_head(install)

            def start(model: ScriptedModel, name: str = name, at: Install = install) -> Supervised:
                made = supervise(WAYS[name].agent(), at, model)
                versions[name] = made.agent.version
                return made

            times = agent_times(start, arguments.calls, arguments.rounds, _ALONE.get(name, ()))
            told = figures(times)
            rows += report_rows(install, before)
        line = {"agent": name, "version": versions[name], "calls": len(times["with"])}
        print(json.dumps(line | {key: round(value, 1) for key, value in told.items()}), flush=True)
        found |= {f"{name}_{key}": value for key, value in told.items()}
    last_line("agents", found | {"ledger_rows": rows}, versions)


if __name__ == "__main__":
    main()
