"""An agent elsewhere: what is started here is our relay, by which its requests come in.

It announces no calls, and no process of it can be seen: whoever shows the task's bearer is it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.environment import HARMLESS, keep
from profiles.files import write_private
from profiles.manifest import load
from supervisor.model import CallIdentity
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Profile


class Sandbox(Profile):
    """`taskpass sandbox` starts it, with its listener as standard input."""

    name = "sandbox"
    call_identity = CallIdentity.SESSION
    announces = False

    def __init__(self) -> None:
        self.manifest = load("sandbox")

    def matches(self, argv: Sequence[str]) -> bool:
        return bool(argv) and Path(argv[0]).name in self.manifest.programs

    def version(self, executable: str) -> str:
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        file = Path(request.task_dir) / "sandbox.json"
        program = (sys.executable, "-I", "-m", "supervisor.sandbox.relay", str(file))
        write_private(file, json.dumps({"lent": request.lent}))
        return LaunchPlan(
            argv=(*program, *request.argv[1:]),
            env=keep(request.environ, HARMLESS) | {"HOME": request.home},
            elsewhere=True,
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        raise ValueError("an agent elsewhere has no hooks here")

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        # Nobody of this profile asks; whoever does gets no permission out of it.
        return b'{"error":"this task announces no calls"}'
