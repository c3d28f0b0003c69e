"""What a tool call costs: in the supervisor, and in a real agent.

    python -m tests.bench.call [--calls N] [--agent-calls N] [--rounds N]

In the supervisor: a scripted agent announces N calls, each of which fetches from a TLS API with
its own lent credential. For each, the time to judge the announcement and the time to judge and
deliver the credential are added; four records of a call are durable in them.

In a real agent: Claude Code with every hook installed makes calls of `true` as a scripted model
tells it, under `taskpass run` and without taskpass in turn. The time between two requests at the
model is what one call takes; the difference of the medians is what we add.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.bench.support import installed, last_line, ledger_head, lend, percentile, report_rows
from tests.bench.timed_daemon import start
from tests.support.agents import CLAUDE, real_agent
from tests.support.live import TASKPASS, ApiServer, Install
from tests.support.scripted_agent import running
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import Supervised, supervise

_SECRET = "real-4fz81kq90xvwpl27mncb"
WARM_UP = 5  # calls not counted, each time
_PATIENCE = 600  # seconds for one run of an agent
_REFUSED = re.compile(r"denied|refused|blocked|not allowed|approval", re.IGNORECASE)


def daemon_times(install: Install, calls: int) -> list[float]:
    """Seconds in the supervisor for each call, from its announcement to its credential."""
    api = ApiServer(token=_SECRET)
    api.start()
    times = install.root / "times"
    try:
        lend(install, _SECRET, api.host, api.certificate_authority)
        install.cli("stop")
        process = start(install, times)
        try:
            fetch = f'curl -sS -m 10 -H "Authorization: Bearer $BENCH_TOKEN" https://{api.host}/me'
            with running(install) as agent:
                for number in range(WARM_UP + calls):
                    output = agent.run(f"{fetch}?n={number}")
                    if "ana" not in output:
                        raise SystemExit(f"the API refused a call: {output}")
        finally:
            process.terminate()
            process.wait()
    finally:
        api.stop()
    noted: dict[str, list[float]] = {"open": [], "use": []}
    for line in times.read_text().splitlines():
        name, _, seconds = line.partition(" ")
        noted[name].append(float(seconds))
    pairs = list(zip(noted["open"], noted["use"], strict=True))[WARM_UP:]
    for name, column in zip(noted, zip(*pairs, strict=True), strict=True):
        print(f"{name}: p50 {percentile(column, 50) * 1e3:.2f} ms")
    return [opened + used for opened, used in pairs]


# ── In a real agent ─────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class TimedModel(ScriptedModel):
    """A scripted model that notes when it is asked."""

    asked: list[float] = field(default_factory=list)

    def _take(self, api: str, request: web.Request, body: dict[str, Any]) -> str | list[Any]:
        if body.get("tools"):
            self.asked.append(time.perf_counter())
        return ScriptedModel._take(self, api, request, body)


@contextlib.contextmanager
def serving(model: ScriptedModel) -> Iterator[None]:
    """Serve a model from a thread of this process."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(model.app())

    async def begin() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        model.url = f"http://{host}:{port}"

    loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def round_trips(
    agent: Supervised, model: TimedModel, calls: int, prefix: Sequence[str], options: Sequence[str]
) -> list[float]:
    """Seconds between the model's requests in one run of `calls` tool calls.

    Args:
        prefix: what the agent is started by.
        options: of the agent, before its prompt.
    """
    model.asked.clear()
    model.requests.clear()
    # No two are the same: some agents take that for a loop.
    steps = [agent.shell(f"true {number}") for number in range(calls + WARM_UP)]
    words = agent.argv(*steps)
    at = -2 if words[-2] == "-p" else -1  # before the prompt, with the option it belongs to
    environ = agent.environ | {"PATH": f"{agent.agent.path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*prefix, *words[:at], *options, *words[at:]],
        cwd=agent.install.project,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if len(model.asked) < calls + WARM_UP:
        raise SystemExit(f"the agent made {len(model.asked)} calls: {done.stdout}{done.stderr}")
    if refused := [text for text in model.last.results.values() if _REFUSED.search(text)]:
        raise SystemExit(f"a call did not run: {refused[0]}")
    asked = model.asked[WARM_UP:]
    return [later - earlier for earlier, later in itertools.pairwise(asked)]


def agent_times(
    start: Callable[[ScriptedModel], Supervised], calls: int, rounds: int, alone: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Round trips with and without taskpass.

    Args:
        start: sets the agent up for this model.
        alone: its options without taskpass.
    """
    times: dict[str, list[float]] = {"without": [], "with": []}
    ways: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "without": ((), alone),
        "with": ((*TASKPASS, "run", "--headless", "--"), ()),
    }
    model = TimedModel()
    with serving(model):
        supervised = start(model)
        for _ in range(rounds):
            for name, (prefix, options) in ways.items():
                times[name] += round_trips(supervised, model, calls, prefix, options)
    return times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--agent-calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    claude = real_agent(CLAUDE, "claude")
    with installed() as install:
        install.cli("ps")  # a cold start is not what is measured
        before = ledger_head(install)
        inside = daemon_times(install, arguments.calls)
        agent = agent_times(
            lambda model: supervise(claude, install, model), arguments.agent_calls, arguments.rounds
        )
        rows = report_rows(install, before)
    medians = {name: statistics.median(values) * 1e3 for name, values in agent.items()}
    for name, median in medians.items():
        print(f"Claude Code {name} taskpass: p50 {median:.1f} ms a call of {len(agent[name])}")
    last_line(
        "call",
        {
            "daemon_p50_ms": percentile(inside, 50) * 1e3,
            "daemon_p99_ms": percentile(inside, 99) * 1e3,
            "agent_added_p50_ms": medians["with"] - medians["without"],
            "agent_without_p50_ms": medians["without"],
            "calls": len(inside),
            "ledger_rows": rows,
        },
        {"claude-code": claude.version},
    )


if __name__ == "__main__":
    main()
