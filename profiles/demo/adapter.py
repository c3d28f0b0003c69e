"""The scripted agent of `taskpass demo` (`supervisor/demo/agent.py`).

It speaks Claude Code's hooks, so that the demo goes the way of a real agent's calls.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from profiles.claude_code.adapter import ClaudeCode
from profiles.environment import HARMLESS, keep
from profiles.files import install_dir, write_private
from profiles.manifest import refuse_options
from supervisor.ports import LaunchPlan, LaunchRequest, Mount


class Demo(ClaudeCode):
    """As Claude Code, but for how it is recognised and launched."""

    name = "demo"

    def matches(self, argv: Sequence[str]) -> bool:
        return bool(argv) and Path(argv[0]).name in self.manifest.programs

    def version(self, executable: str) -> str:
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        refuse_options(self.manifest, arguments)
        hooks = Path(request.task_dir) / "hooks.json"
        told = {"url": request.hook_url, "timeout": request.hook_timeout}
        write_private(hooks, json.dumps(told))
        return LaunchPlan(
            argv=(executable, "--hooks", str(hooks), *arguments),
            env=keep(request.environ, HARMLESS) | {"HOME": request.home},
            mounts=(install_dir(executable, request.home), *_python()),
        )


def _python() -> tuple[Mount, ...]:
    """The Python that runs us runs the demo's programs too; it may lie in the home."""
    prefix = os.path.realpath(sys.base_prefix)
    return () if prefix.startswith("/usr") else (Mount(prefix),)
