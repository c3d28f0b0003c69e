"""The demo's agent: it follows a script instead of a model, and announces every tool call.

A program on its own: it runs inside the task, where nothing of ours exists, with the standard
library only. `--json` tells what happens as JSON lines; else it is drawn for a pane.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_PACE = 1.5  # seconds between steps in a pane, to be read in
_STILL = 3  # lines of output that are kept; later ones replace the last


SHOWN = "API_TOKEN is "  # what its third step prints before the stand-in
STREAMING = 6  # the step that goes on until it is ended


@dataclass(frozen=True)
class Step:
    """What the agent wants, the command it runs for it, and what the person is told before."""

    want: str
    command: str
    guide: str = ""


STORIES = {
    "answer": (
        Step("Read the customer's ticket.", "./desk GET /tickets/7", "A routine call goes on."),
        Step(
            "Look for a token in the project.",
            "cat .env",
            "This is refused, with a way that works.",
        ),
        Step(
            "Then take what the environment offers.",
            f'echo "{SHOWN}$API_TOKEN"',
            "The agent has a stand-in only; it is worth nothing outside this call.",
        ),
        Step(
            "Answer the customer.",
            "./desk POST /tickets/7/replies",
            "This asks you. Press ^\\ (or F12), then a. Read it; O allows it once, d denies it.",
        ),
        Step(
            "Delete the ticket.",
            "./desk DELETE /tickets/7",
            "This asks you as well. Press ^\\ then a, and this time d: the agent is told no.",
        ),
        Step(
            "Stay and follow the ticket.",
            "./desk GET /tickets/7/events",
            "It streams for as long as it may: its lease stands on the right (or press ^\\ then "
            "g). The leases of task 2 run out by themselves: ^\\ then 2 shows it, ^\\ then 1 "
            "comes back.\n"
            "Now press ^\\ then x. Everything this task was lent ends at once, and so does the "
            "agent. Then look at the history with ^\\ then h, or leave with ^\\ then q.",
        ),
    ),
    "watch": (
        Step(
            "Watch the build for a moment.",
            "./desk GET /builds/12/log",
            "A call of this task may last 20 seconds. Then its lease has run out, whatever it "
            "does, and the next call is judged anew.",
        ),
    ),
}


class Hooks:
    """Posts hook inputs as Claude Code does, from this very process."""

    def __init__(self, file: str) -> None:
        with open(file, encoding="utf-8") as settings:
            told = json.load(settings)
        url = urlsplit(told["url"])
        self._host, self._path = url.netloc, url.path
        self._timeout = told["timeout"]

    def post(self, event: str, **fields: Any) -> dict[str, Any]:
        """The supervisor's answer; whatever goes wrong is a denial."""
        body = {"hook_event_name": event, "session_id": "demo", "cwd": os.getcwd(), **fields}
        connection = http.client.HTTPConnection(self._host, timeout=self._timeout)
        try:
            connection.request("POST", f"{self._path}/{event}", json.dumps(body))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            return {"permissionDecision": "deny", "permissionDecisionReason": str(error)}
        finally:
            connection.close()
        output: dict[str, Any] = answer.get("hookSpecificOutput", {})
        return output


class Teller:
    """Tells what happens: as JSON lines, or drawn for a person."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._lines = 0  # of output of the call that runs

    def tell(self, event: str, step: int, text: str) -> None:
        if self._json:
            print(json.dumps({"event": event, "step": step, "text": text}), flush=True)
        else:
            self._draw(event, step, text)

    def _draw(self, event: str, step: int, text: str) -> None:
        if event == "want":
            time.sleep(_PACE)
            print(f"\n\x1b[1;36m{step}. {text}\x1b[0m", flush=True)
        elif event == "guide":
            for line in text.splitlines():
                for part in textwrap.wrap(line, 70):
                    print(f"   \x1b[33m{part}\x1b[0m", flush=True)
        elif event == "call":
            print(f"   \x1b[1m● {text}\x1b[0m", flush=True)
        elif event == "denied":
            for part in textwrap.wrap(text, 68):
                print(f"   \x1b[31m⎿ {part}\x1b[0m", flush=True)
        else:
            self._lines = self._lines + 1 if event == "output" else 0
            # A stream stays on one line, so that the guide above it can still be read.
            over = "\x1b[1A\x1b[2K" if self._lines > _STILL else ""
            print(f"{over}   \x1b[2m⎿\x1b[0m {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hooks", required=True)
    parser.add_argument("--no-hooks", action="store_true", help="announce nothing")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("story", choices=STORIES)
    options = parser.parse_args()
    hooks = None if options.no_hooks else Hooks(options.hooks)
    teller = Teller(as_json=options.json)
    for number, step in enumerate(STORIES[options.story] * options.times, 1):
        teller.tell("want", number, step.want)
        teller.tell("guide", number, step.guide)
        teller.tell("call", number, step.command)
        _call(number, step.command, hooks, teller)
    if hooks is not None:
        hooks.post("Stop")
    teller.tell("end", 0, "The script ends here.")
    return 0


def _call(number: int, command: str, hooks: Hooks | None, teller: Teller) -> None:
    call = {
        "tool_name": "Bash",
        "tool_input": {"command": command},
        "tool_use_id": f"call-{number}",
    }
    if hooks is not None:
        answer = hooks.post("PreToolUse", **call)
        if answer.get("permissionDecision") != "allow":
            teller.tell("denied", number, str(answer.get("permissionDecisionReason", "no answer")))
            return
        command = answer.get("updatedInput", {"command": command})["command"]
    shell = subprocess.Popen(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert shell.stdout is not None
    for line in shell.stdout:
        teller.tell("output", number, line.rstrip("\n"))
    code = shell.wait()
    if hooks is not None:
        hooks.post("PostToolUse" if code == 0 else "PostToolUseFailure", **call)
    teller.tell("exit", number, f"exit {code}")


if __name__ == "__main__":
    sys.exit(main())
