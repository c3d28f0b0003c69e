"""Any program, without hooks: its uses are judged by process on the channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiles.environment import scrub
from profiles.files import install_dir
from profiles.manifest import load
from supervisor.model import CallIdentity
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Profile


class Generic(Profile):
    """Matches everything; keeps the environment but for what looks like a credential."""

    name = "generic"
    call_identity = CallIdentity.PROCESS
    announces = False
    tells_turns = False

    def __init__(self) -> None:
        self.manifest = load("generic")

    def matches(self, argv: Sequence[str]) -> bool:
        return True

    def version(self, executable: str) -> str:
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        return LaunchPlan(
            argv=request.argv,
            env=scrub(request.environ),
            mounts=(install_dir(request.argv[0], request.home),),
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        raise ValueError("a program without a profile has no hooks")

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        # Nobody of this profile asks; whoever does gets no permission out of it.
        return b'{"error":"this task announces no calls"}'
