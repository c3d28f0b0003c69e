"""What is known of an agent before it runs, how it is contained, and how it is started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supervisor.model import CallIdentity, Limits, McpServer, ToolCall
from supervisor.ports.channels import HookAnswer
from supervisor.ports.drills import Drill, DrillRequest


@dataclass(frozen=True, slots=True)
class Mount:
    """One path the profile needs inside the container.

    Attributes:
        source: what is shown there, a file of the task's own directory; "" for what lies there.
            Only a container with a view of its own of the file system can (tier A).
        optional: where none can show it, the agent is started without it.
    """

    path: str
    writable: bool = False
    source: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a profile is given to prepare a launch."""

    task: str
    argv: tuple[str, ...]  # as the person typed it; argv[0] resolved to a real path
    cwd: str
    home: str
    environ: Mapping[str, str]  # the person's environment
    task_dir: str  # a private directory for generated files, 0700, visible in the task
    hook_url: str  # base URL of the hook intake, no trailing slash: "http://127.0.0.1:PORT/TOKEN"
    hook_timeout: int  # seconds the agent is told to wait
    contained: bool
    interactive: bool
    mcp_url: str = ""  # as `hook_url`, where the gateways before the agent's MCP servers announce
    lent: tuple[str, ...] = ()  # variables that credentials of the vault set, with stand-ins
    leading: tuple[str, ...] = ()  # variables that lead a program to the task's proxy
    no_proxy: str = ""  # hosts that the task's tools reach without it


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What a profile answers: how the agent is really started."""

    argv: tuple[str, ...]
    env: Mapping[str, str]  # complete environment of the agent, before ours is laid over it
    mounts: tuple[Mount, ...] = ()
    model_hosts: tuple[str, ...] = ()  # "host:port" the agent itself may talk to untouched
    agent_sandbox: str = ""  # what became of a sandbox of its own, in words; "": it has none
    guarded: tuple[str, ...] = ()  # missing settings, which a contained task may not make
    folders: tuple[str, ...] = ()  # to be written, and made where missing, whatever is guarded
    alone: bool = False  # it runs one call at a time, and is led to the proxy as a tool is
    mcp: tuple[McpServer, ...] = ()  # its MCP servers, put behind the gateway in its configuration
    elsewhere: bool = False  # its agent is on no machine of ours: what starts here passes on
    tools_online: bool = True  # False: its own sandbox keeps its shell from reaching our proxy


class Profile(ABC):
    """One agent program: how it is recognised, launched, and how its hooks speak."""

    name: str
    call_identity: CallIdentity
    # False: it tells of no calls, so all that it does is one, from its start to its end.
    announces: bool = True
    # False: the agent's root process posts its hooks itself. True: a command that it starts does.
    hooks_by_child: bool = False
    # Processes between the agent's root and an MCP server that it starts.
    servers_below: int = 0
    # False: nothing tells when it works and when it waits.
    tells_turns: bool = True

    @abstractmethod
    def matches(self, argv: Sequence[str]) -> bool:
        """Whether `argv` launches this agent."""

    @abstractmethod
    def version(self, executable: str) -> str:
        """Version found without running it where possible; "" if unknown."""

    @abstractmethod
    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        """Write generated files below `request.task_dir` and say how to launch."""

    @abstractmethod
    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        """Normalise one hook input. Raises ValueError when it is malformed: that denies."""

    @abstractmethod
    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        """The hook's output: exact bytes for the agent."""

    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        """The tool's arguments with `prefix` put before the shell command."""
        return {**call.arguments, "command": prefix + call.command}

    def started_as(self, call: ToolCall) -> tuple[str, ...]:
        """The command line of the shell that runs this call, where nothing can be put before its
        command, so that the shell asks for that itself; () where `with_prefix` counts."""
        return ()

    def drill(self, request: DrillRequest) -> Drill | None:
        """How the doctor shows that its calls are enforced; None where it cannot."""
        return None


@dataclass(frozen=True, slots=True)
class HookEvent:
    """A hook input, normalised."""

    # "pre" | "post" | "failed" | "prompt" | "turn_end" | "session_end" | "notice",
    # or a report of `intake.reports`
    phase: str
    call: ToolCall | None = None
    session_id: str = ""
    subagent: str = ""  # whose turn has ended; "" for the agent itself
    notice: str = ""  # of a notice: it "waits" for an answer in its pane, has been "idle"; "" else
    raw: Mapping[str, Any] = field(default_factory=dict)
    hold: float = 0.0  # seconds it can wait for a person at most; 0: as long as it was told
    spawned: str = ""  # of a call's end: the subagent that it has brought, by its agent's name


@dataclass(frozen=True, slots=True)
class Containment:
    """What a contained task sees and may change: one plan, whatever enforces it.

    Paths are absolute and real. A deeper path has the last word over those around it.

    Attributes:
        mode: "standard" or "strict" (`process.plan` has the table).
        workspace: writable, and where the task works.
        mounts: what else is visible, each readable or writable.
        guarded: inside something writable, and stays as it is; every one exists when the task
            starts (`process.placeholders`).
        masked: its name is visible, its content is not.
        denied: of what is masked, that a person or project named as to be kept from tasks.
        absent: not there, whatever a mount would show.
        sockets: of other programs, let in because the person said so.
    """

    mode: str
    workspace: str
    mounts: tuple[Mount, ...] = ()
    guarded: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()

    @property
    def writable(self) -> tuple[str, ...]:
        """Everything the task may write to, but for what is guarded or masked in it."""
        return (self.workspace, *(mount.path for mount in self.mounts if mount.writable))


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What a holder needs to start one task. Holds no secret; sent to it as msgpack."""

    task: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    containment: Containment  # uncontained, only its workspace counts
    task_dir: str
    tier: str  # model.Tier value
    bwrap: str  # path of bubblewrap, "" uncontained
    listeners: tuple[str, ...]  # names, in order, by kind (process/netns.py): "relay:8099"
    ports: tuple[int, ...]  # wanted ports inside the task; 0: any
    pty: bool
    cols: int = 120
    rows: int = 40
    socket: str = ""  # where the holder listens for screens and the daemon
    overlay: str = ""  # directory of an overlay over the workspace (`changes.shelf`), "" for none
    cgroup: str = ""  # directory to make the task's own in, "" for none
    limits: Limits = field(default_factory=Limits)  # of them, those that a cgroup holds it to
    umask: int = 0o077
    stdio: bool = True  # without a PTY: wait for a client's Stdio frame; False: /dev/null
