"""pi: how it is recognised, launched, and how its extension speaks.

Source: the program itself, 0.73.1, run against a scripted model, and its `docs/extensions.md`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import inprocess, nodejs
from profiles.environment import HARMLESS, keep
from profiles.files import existing, host_port
from profiles.supported import Supported
from profiles.toolcalls import absolute, mapping, phase_of, text, working_directory
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {
    "tool_call": "pre",
    "tool_result": "post",
    "input": "prompt",
    "agent_end": "turn_end",
    "session_shutdown": "session_end",
}
_TOOLS = {
    "bash": ToolKind.SHELL,
    "read": ToolKind.READ,
    "grep": ToolKind.READ,
    "find": ToolKind.READ,
    "ls": ToolKind.READ,
    "write": ToolKind.WRITE,
    "edit": ToolKind.WRITE,
}
# A search without a path looks at the working directory.
_DEFAULT_TO_CWD = frozenset({"grep", "find", "ls"})
# It takes these for spaces in names of files.
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_PACKAGE = re.compile(r"/@[\w-]+/pi-coding-agent/")


class Pi(Supported):
    """An extension posts from inside its root process; pi blocks a call whose extension throws."""

    name = "pi"
    call_identity = CallIdentity.CALL

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        return Path(argv[0]).name in self.manifest.programs or bool(_PACKAGE.search(argv[0]))

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        node = nodejs.runtime(request.environ, self.manifest.title)
        plugin = Path(request.task_dir, "pi-extension")
        source = Path(__file__).with_name("extension.mjs")
        inprocess.install(request, [source], plugin, self.manifest.model_secrets)
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        env |= {"HOME": request.home, **self.manifest.set}
        agent_dir = env.get("PI_CODING_AGENT_DIR") or os.path.join(request.home, ".pi/agent")
        own = (option for path in _extensions(agent_dir) for option in ("--extension", path))
        # Ours first: what it has judged is fixed for those that come after it.
        options = ("--no-extensions", "--extension", str(plugin / source.name), *own)
        return LaunchPlan(
            argv=(executable, *options, *arguments),
            env=env,
            mounts=(
                *nodejs.mounts(executable, node, request.home),
                *existing("/", [agent_dir], writable=True),
                *(Mount(path) for path in self._settings(agent_dir) if os.path.lexists(path)),
            ),
            guarded=tuple(
                path
                for path in self._settings(agent_dir)
                if os.path.isdir(agent_dir) and not os.path.lexists(path)
            ),
            model_hosts=(*_own_hosts(agent_dir), *self.manifest.model_hosts),
        )

    def _settings(self, agent_dir: str) -> list[str]:
        """What the next session would run, or take for instructions of the person's."""
        return [os.path.join(agent_dir, name) for name in self.manifest.readable]

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        session = text(event, "session_id", required=False)
        if phase not in {"pre", "post"}:
            return HookEvent(phase, session_id=session, raw=event)
        if event.get("isError") is True:
            phase = "failed"
        return HookEvent(phase, self._call(event), session, raw=event)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "toolName")
        arguments = mapping(event, "input")
        cwd = working_directory(event)
        kind = _TOOLS.get(tool, ToolKind.OTHER)
        paths: tuple[str, ...] = ()
        if kind in (ToolKind.READ, ToolKind.WRITE):
            path = text(arguments, "path", required=tool not in _DEFAULT_TO_CWD) or cwd
            paths = (_named(path, cwd),)
        return ToolCall(
            agent_call_id=text(event, "toolCallId"),
            tool=tool,
            kind=kind,
            arguments=arguments,
            cwd=cwd,
            command=text(arguments, "command") if kind is ToolKind.SHELL else "",
            paths=paths,
        )

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        return inprocess.rendered(event, answer)


def _named(path: str, cwd: str) -> str:
    """The file that pi opens by this name."""
    plain = _SPACES.sub(" ", path.removeprefix("@"))
    return absolute(plain, cwd, os.path.expanduser("~"))


def _extensions(agent_dir: str) -> Iterator[str]:
    """The person's own; what a project or a package brings is not started."""
    folder = Path(agent_dir, "extensions")
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in (".ts", ".js") or any(
            path.joinpath(name).is_file() for name in ("index.ts", "index.js", "package.json")
        ):
            yield str(path)


def _own_hosts(agent_dir: str) -> tuple[str, ...]:
    """Where the person's `models.json` leads to. What cannot be read counts for nothing."""
    try:
        providers = json.loads(Path(agent_dir, "models.json").read_text("utf-8"))["providers"]
        urls = [provider.get("baseUrl") for provider in providers.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    found = (host_port(url) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(host for host in found if host))
