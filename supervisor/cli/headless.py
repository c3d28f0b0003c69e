"""`taskpass run --headless`: the program's input and output are ours, and so is its exit code.

This is the start path that people wait for, so it imports next to nothing (`cli.exchange`);
what only a cold start or a failure needs is imported there. `tests/bench/start.py` measures it.
"""

from __future__ import annotations

import os
import sys

from supervisor import places
from supervisor.cli import exchange
from supervisor.protocol import proof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

    from supervisor.errors import TaskpassError

_PROTOCOL = 1
# A supervisor that lost its life may hold its socket for a moment.
_TRIES, _PAUSE = 20, 0.05


def run_headless(
    request: dict[str, object],
    begun: Callable[[str], object] | None = None,
    *,
    paired: bool = False,
) -> int:
    """Run one task to its end; its exit code. `begun` is told the task's id.

    `paired`: as a screen that a person sits at, which needs a terminal.

    Raises:
        TaskpassError: it could not be started.
    """
    try:
        return _run(request, begun, paired)
    except exchange.Answered as answered:
        raise _error(answered.problem) from None
    except ConnectionError:
        from supervisor.errors import DaemonUnavailable

        raise DaemonUnavailable(
            "The supervisor went away in mid-request.", hint="Try again; it is restarted."
        ) from None


def _run(request: dict[str, object], begun: Callable[[str], object] | None, paired: bool) -> int:
    daemon = _connected()
    screen = ""
    if paired:
        exchange.send(daemon, "POST", "/v1/pair")
        screen = exchange.receive(daemon)["token"]
    exchange.send(daemon, "POST", "/v1/tasks", request, screen)
    # While the supervisor works: signal brings enum, 3 ms that nobody waits for here.
    import signal

    started = exchange.receive(daemon)
    task = started["task"]["id"]
    if begun is not None:
        begun(task)
    _warn(started["task"])
    if waiting := started.get("needs_waiting"):
        _tell(f"{waiting} needs of this project wait for you and are ignored: taskpass needs")
    if servers := started.get("mcp"):
        from supervisor.cli.mcp_told import sentences

        for sentence in sentences(servers):
            _tell(sentence)
    if not any(map(os.path.exists, places.setup_markers())):
        from supervisor.cli import setup_hint

        setup_hint.tell_once()

    def end(number: int, frame: FrameType | None) -> NoReturn:
        other = exchange.connect(places.socket())
        if other is not None:
            exchange.send(other, "POST", f"/v1/tasks/{task}/end", {})
            exchange.receive(other)
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    _give_stdio(started["socket"], started["token"])
    while True:
        try:
            exchange.send(daemon, "GET", f"/v1/tasks/{task}/exit")
            ended = exchange.receive(daemon)
            if ended.get("failure"):
                print(f"taskpass: {ended['failure']}", file=sys.stderr, flush=True)
            if started["task"].get("overlay"):
                print(to_review(task), file=sys.stderr, flush=True)
            return int(ended["exit_code"])
        except ConnectionError:
            # The supervisor went away; the task waits for the next one.
            daemon = _reconnected()


def to_review(task: str) -> str:
    """Where the changes of a task on an overlay are."""
    return f"taskpass: the workspace is as it was; what the task changed: taskpass changes {task}"


def _tell(words: str) -> None:
    print(f"taskpass: {words}", file=sys.stderr, flush=True)


def _warn(task: dict[str, object]) -> None:
    """Say in words that nothing contains a task; a screen would show it all the time."""
    if task["tier"] != "uncontained" or task["runtime"] == "sandbox":
        return
    exposed = task.get("exposed") or ()
    assert isinstance(exposed, list | tuple)
    among = f", {', '.join(exposed[:3])} too" if exposed else ""
    more = f" (and {len(exposed) - 3} more)" if len(exposed) > 3 else ""
    holes = task.get("holes") or ()
    assert isinstance(holes, list | tuple)
    ways = f" Ways out of it: {', '.join(holes)}." if holes else ""
    detail = f" ({task['tier_detail']})" if task.get("tier_detail") else ""
    print(
        f"taskpass: uncontained{detail}: this program can read what you can read{among}{more}."
        f"{ways}",
        file=sys.stderr,
        flush=True,
    )


def _reconnected() -> socket:
    """As `_connected`; a supervisor that is just dying may take a connection and drop it."""
    from time import sleep

    for _ in range(_TRIES):
        try:
            return _connected()
        except ConnectionError:
            sleep(_PAUSE)
    return _connected()


def _connected() -> socket:
    """A connection to our supervisor, started if there is none, that has proved to be it.

    Raises:
        DaemonUnavailable: it is not ours, or does not come up.
    """
    daemon = exchange.connect(places.socket())
    if daemon is None:
        from supervisor.paths import user_paths
        from supervisor.protocol import handshake

        handshake.ensure_daemon(user_paths())
        daemon = exchange.connect(places.socket())
    if daemon is None:
        from supervisor.errors import DaemonUnavailable

        raise DaemonUnavailable("The supervisor cannot be reached.", hint="Try again.")
    if (uid := exchange.peer_uid(daemon)) != os.geteuid():
        raise _fake(f"uid {uid}")
    nonce = proof.new_nonce()
    exchange.send(daemon, "GET", f"/v1/hello?nonce={nonce}")
    try:
        hello = exchange.receive(daemon)
    except ValueError:
        raise _fake("no handshake") from None
    if not proof.shown(_install_key(), nonce, str(hello.get("proof", ""))):
        raise _fake("wrong proof")
    if hello.get("protocol") != _PROTOCOL:
        from supervisor.protocol.handshake import check_protocol

        check_protocol(hello.get("protocol"), str(hello.get("version")), _PROTOCOL)
    return daemon


def _install_key() -> bytes:
    try:
        with open(places.install_key(), "rb") as file:
            return file.read()
    except FileNotFoundError:
        # Somebody listens and there is no key: made now, it shows that this is not ours.
        from supervisor.paths import user_paths
        from supervisor.protocol import handshake

        return handshake.install_key(user_paths())


def _fake(detail: str) -> TaskpassError:
    from supervisor.paths import user_paths
    from supervisor.protocol import handshake

    paths = user_paths()
    handshake.report_fake(paths, detail)
    return handshake.fake_daemon(paths)


def _error(problem: dict[str, object]) -> TaskpassError:
    from supervisor.errors import of_code

    kind = of_code(str(problem.get("code")))
    return kind(str(problem.get("message")), hint=str(problem.get("hint", "")))


def _give_stdio(path: str, token: str) -> None:
    """Pass our input and output to the holder, in the one frame of `wire` that a start needs.

    A terminal is not passed as input: the program runs without one, and would be stopped when
    it reads.
    """
    body = b"\x82" + _text("type") + _text("stdio") + _text("token") + _text(token)
    frame = len(body).to_bytes(4, "big") + body
    given = os.open(os.devnull, os.O_RDONLY) if os.isatty(0) else 0
    holder = exchange.connect(path)
    if holder is None:
        raise ConnectionError("the holder is gone")
    exchange.send_descriptors(holder, frame, [given, 1, 2])
    holder.close()
    if given:
        os.close(given)


def _text(text: str) -> bytes:
    """A msgpack str of up to 255 bytes."""
    data = text.encode()
    return b"\xd9" + bytes([len(data)]) + data
