"""The supervisor daemon: one per user, the only process with keys. Wires the rooms together.

Run as `python -I -m supervisor.daemon` by the first client that needs it; ends on SIGTERM, and
by itself when there is no task and no client for a while.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import fcntl
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import msgspec
from aiohttp import web

import profiles
from supervisor.api import Api
from supervisor.approvals.queue import ApprovalQueue
from supervisor.calls.mcp import gateway_reports
from supervisor.calls.owed import OwedFiles
from supervisor.calls.recorder import Recorder
from supervisor.changes.shelf import Shelf
from supervisor.channels.http.ca import CertificateAuthority, bundle, load_key, system_roots
from supervisor.channels.http.dial import upstream_context
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.config import Config, load_user_config
from supervisor.core import Engine
from supervisor.desk import Desk
from supervisor.effects import programs, sql
from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.events import Events
from supervisor.grants.book import Book
from supervisor.grants.recovery import recover
from supervisor.identity.evidence import Digests, current_user
from supervisor.identity.person import KnownPerson
from supervisor.issuers import Issuers, build_issuers
from supervisor.keeping import Keeper
from supervisor.ledger.store import SqliteLedger
from supervisor.model import Limits, Tier, new_id
from supervisor.needs import Needs
from supervisor.own_way import OwnWay
from supervisor.paths import Paths, private_dir, user_paths
from supervisor.policy.in_force import Policies
from supervisor.policy_watch import PolicyWatch
from supervisor.process import cgroup
from supervisor.process.placeholders import Placeholders
from supervisor.process.plan import Wishes
from supervisor.process.probe import Probe as Containable
from supervisor.process.probe import probe_by
from supervisor.process.secret_places import exposed
from supervisor.process.zygote import Zygote
from supervisor.protocol import handshake
from supervisor.protocol.wire import Recorded
from supervisor.review.replaying import Today
from supervisor.routes.credentials import CredentialRoutes
from supervisor.routes.imports import ImportRoutes
from supervisor.routes.notices import Notices
from supervisor.routes.person import PersonRoutes
from supervisor.routes.probe import Probe
from supervisor.routes.recordings import RecordingRoutes
from supervisor.routes.review import ReviewRoutes
from supervisor.routes.setup import setup_routes
from supervisor.routes.vault import VaultRoutes
from supervisor.tasks.adopting import Adopting
from supervisor.tasks.ci_job import CiJobs
from supervisor.tasks.containing import Containing
from supervisor.tasks.launch import Launcher
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.metering import meter
from supervisor.tasks.recording import Recordings
from supervisor.tasks.reviewing import Reviews
from supervisor.tasks.taking_over import take_over
from supervisor.tokens.keys import load_keys
from supervisor.vault import FileVault, open_vault
from supervisor.views import task_viewer
from supervisor.ways_out import WaysOut

if TYPE_CHECKING:
    from supervisor.oauth.http import Http

log = logging.getLogger("supervisor")

_IDLE = 60.0  # seconds without tasks and clients before the daemon ends itself
_SETTLED = 5.0  # seconds after which what few calls need is loaded
_NOTE_LIMIT = 64 * 1024  # bytes
_PR_SET_DUMPABLE = 4


def main(argv: list[str] | None = None, step: Callable[[str], None] = lambda name: None) -> int:
    """Run until SIGTERM or idleness. `step` is for tests that kill the daemon at a stage."""
    parser = argparse.ArgumentParser(prog="supervisor.daemon")
    parser.add_argument("--ready-fd", type=int, default=-1)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    harden()
    if options.ready_fd >= 0:
        os.set_inheritable(options.ready_fd, False)  # who reads it waits for its end
    try:
        paths = user_paths()
        lock = take_lock(paths)
        if lock is None:
            return 0  # another one serves; whoever started us will find it
        import uvloop

        uvloop.run(serve(paths, options.ready_fd, step))
    except TaskpassError as error:
        log.error("%s", error)
        _say(options.ready_fd, f"{error}\n")
        return 1
    return 0


def harden() -> None:
    """No core dump, and no reading of our memory by processes of the same uid (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def take_lock(paths: Paths) -> IO[str] | None:
    """The single-instance lock, held until this process ends; None when another holds it."""
    file = open(paths.lock, "a+")  # noqa: SIM115 - held for life
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def bind_socket(paths: Paths) -> socket.socket:
    """Our listening socket, 0600. We hold the lock, so a socket that is there is stale.

    Raises:
        LaunchFailed: something that is not a socket of ours sits at the path.
    """
    path = paths.socket
    try:
        if path.exists() and not path.is_socket():
            raise LaunchFailed(
                f"{path} is in the way: it is not a socket.", hint="Remove it and try again."
            )
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        os.chmod(path, 0o600)
    except OSError as error:
        raise LaunchFailed(f"Cannot listen on {path}: {error.strerror}.") from error
    sock.listen(128)
    return sock


async def serve(paths: Paths, ready_fd: int, step: Callable[[str], None]) -> None:
    """Build everything, take running tasks over, serve until told to stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    handshake.install_key(paths)
    config = load_user_config(paths.config / "config.toml")
    session = new_id("s")
    events = Events()
    ledger = SqliteLedger(paths.ledger)
    bound: socket.socket | None = None
    try:
        zygote = Zygote()
        await zygote.start()
        _let_open_many()  # after it: tasks keep the limit that they were started with
        # Beside what follows: somebody else tries what this machine allows.
        probing = asyncio.ensure_future(probe_by(zygote.attempt, Tier(config.tier or Tier.A)))
        await asyncio.sleep(0)
        keys = load_keys(paths.state)
        vault = open_vault(paths)
        way = OwnWay(config)
        issuers = build_issuers(vault, keys, tls=lambda: _tls(config), via=way.via)
        engine = _engine(paths, config, events, ledger, vault, issuers, step)
        lifecycle = Lifecycle(engine)
        person = KnownPerson(paths.state / "person.jwt", keys)
        recordings = Recordings(paths.state / "recordings", vault, engine.records)
        launcher = _launcher(
            paths, config, engine, lifecycle, zygote, session, person, way, recordings,
            await probing,
        )  # fmt: skip
        keeper = Keeper(engine, launcher.policies, paths.config / "rules.toml")
        watch = PolicyWatch(engine, launcher.policies, paths.config)
        credentials = CredentialRoutes(engine, Probe(engine, lambda: _tls(config), way.via))
        setup = setup_routes(engine, vault, paths.state / "undo", credentials.remove)
        api = Api(
            paths, engine, lifecycle, launcher, events, session, keys.jwks(), stopped.set, keeper,
            launcher.adopting.reviews, watch, credentials,
            setup, ImportRoutes(vault, setup.journal, ledger),
            VaultRoutes(vault, ledger),
            PersonRoutes(person, ledger, lambda: _http(config, way)),
            Notices(engine, config, lambda: _http(config, way)),
            ReviewRoutes(paths.ledger, ledger, engine.book,
                         Today(launcher.policies, launcher.needs),
                         lambda: current_user().label, engine.clock),
            RecordingRoutes(recordings, ledger, lambda: current_user().label),
        )  # fmt: skip
        ledger.subscribe(lambda records: _publish(events, records))
        recovered = recover(ledger, engine.clock())
        await ledger.append(
            "daemon.started",
            {
                "session": session,
                "pid": os.getpid(),
                "possibly_live": list(recovered.possibly_live),
            },
        )
        await take_over(launcher, recovered)
        await engine.revoking.resume(recovered.possibly_live)
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        bound = bind_socket(paths)
        await web.SockSite(runner, bound).start()
        _say(ready_fd, "ready\n")

        def busy() -> bool:
            return bool(events.subscribers or engine.desk.runtimes or engine.revoking.busy)

        async with asyncio.TaskGroup() as group:
            chores = [
                group.create_task(_collect_incidents(paths, ledger)),
                group.create_task(watch.run()),
                group.create_task(stop_when_idle(busy, stopped)),
                group.create_task(_warm_up()),
                group.create_task(
                    meter(engine, launcher.adopting.holders, lambda: events.subscribers > 0)
                ),
            ]
            await stopped.wait()
            # First of all: whoever comes now finds nobody, and starts another.
            await runner.cleanup()
            api.notices.close()
            for chore in chores:
                chore.cancel()
        await engine.revoking.close()
        await issuers.close()
        with contextlib.suppress(TaskpassError):
            await ledger.append("daemon.stopped", {"session": session})
        await zygote.close()
    finally:
        await ledger.close()
        if bound is not None:
            with contextlib.suppress(OSError):
                paths.socket.unlink()


async def _warm_up() -> None:
    """Load what reading commands needs, so that calls do not wait for it; then spare the collector.

    What is loaded now stays as long as we do: looking through it again and again would hold up
    calls for tens of milliseconds. What only few calls need does not compete with the first task.
    """
    await asyncio.to_thread(programs.warm)
    gc.freeze()
    # Requests leave few cycles behind, and each collection stops all of them for a moment.
    gc.set_threshold(20_000, 20, 20)
    await asyncio.sleep(_SETTLED)
    await asyncio.to_thread(sql.warm)
    gc.collect()
    gc.freeze()


def _let_open_many() -> None:
    """As many descriptors as the system lets us: connections, and processes that are watched."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _engine(
    paths: Paths,
    config: Config,
    events: Events,
    ledger: SqliteLedger,
    vault: FileVault,
    issuers: Issuers,
    step: Callable[[str], None],
) -> Engine:
    return Engine(
        book=Book(),
        ledger=ledger,
        approvals=ApprovalQueue(),
        vault=vault,
        issuers=issuers,
        desk=Desk(
            events.publish,
            task_viewer(lambda: exposed(str(Path.home()))),
            lambda: events.subscribers > 0,
        ),
        records=Recorder(ledger, vault.redact),
        owed=OwedFiles(paths.state / "owed", vault),
        approval_timeout=config.approval_timeout,
        step=step,
    )


def _http(config: Config, way: OwnWay) -> Http:
    """How we ask other servers ourselves."""
    from supervisor.oauth.http import Http

    return Http(lambda: _tls(config), via=way.via)


def _tls(config: Config) -> ssl.SSLContext:
    """What verifies the servers that we ask ourselves."""
    return upstream_context(config.extra_roots or None)


def _launcher(
    paths: Paths,
    config: Config,
    engine: Engine,
    lifecycle: Lifecycle,
    zygote: Zygote,
    session: str,
    person: KnownPerson,
    way: OwnWay,
    recordings: Recordings,
    found: Containable,
) -> Launcher:
    authority = CertificateAuthority(load_key(paths.state))

    def allow_private() -> frozenset[str]:
        specs = engine.vault.specs()
        return frozenset(config.allow_private).union(*(spec.hosts for spec in specs))

    placeholders = Placeholders(paths.state / "placeholders")
    adopting = Adopting(
        engine=engine,
        lifecycle=lifecycle,
        authority=authority,
        ways=WaysOut(config, system_roots(), bundle(system_roots(), authority), way.learn),
        hold=config.approval_hold,
        make_channel=partial(
            HttpProxyChannel,
            splice=frozenset(config.splice),
            http2=frozenset(config.http2),
            allow_private=allow_private,
        ),
        allow_private=allow_private,
        placeholders=placeholders,
        delegation=cgroup.delegation(),
        reviews=Reviews(Shelf(paths.state / "changes"), engine),
        recordings=recordings,
        reports=gateway_reports(engine, paths.state / "mcp-pins.json"),
        gateway=profiles.find((), "mcp"),
        aside=paths.state / "settings-aside",
    )
    absent = tuple(str(path) for path in paths.all())
    wishes = Wishes(
        config.show, config.write, config.deny_read, config.x11, config.wayland, config.dbus
    )
    return Launcher(
        paths=paths,
        engine=engine,
        lifecycle=lifecycle,
        adopting=adopting,
        spawner=zygote,
        probe=found,
        find_profile=profiles.find,
        session=session,
        user=person.user,
        limits=Limits(memory=config.memory, cpus=config.cpus, processes=config.processes),
        loopback=config.loopback,
        digests=Digests(),
        containing=Containing(found, config.contain, wishes, absent, placeholders),
        overlay=config.overlay,
        record=config.record,
        jobs=CiJobs(
            config.ci_audience, config.ci_issuer, config.ci_jobs, lambda: _http(config, way)
        ),
        needs=Needs(paths.state / "needs.json"),
        policies=Policies(
            config.preset, paths.config / "policy", list(absent), paths.state / "policy.json"
        ),
    )


def _publish(events: Events, records: Iterator[dict[str, Any]]) -> None:
    if not events.subscribers:
        return
    for record in records:
        events.publish(Recorded(record=record))


class _Note(msgspec.Struct, frozen=True):
    """What `handshake.report_fake` leaves."""

    kind: Literal["fake_daemon"]
    time: float
    detail: str


async def _collect_incidents(paths: Paths, ledger: SqliteLedger) -> None:
    """Put on record what clients saw while they could not reach us."""
    private_dir(paths.incidents)
    while True:
        for file in sorted(paths.incidents.glob("*.json")):
            # Whoever has our uid can write there, so what is no note is dropped.
            with contextlib.suppress(OSError, TaskpassError):
                with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    note = msgspec.json.decode(file.read_bytes()[:_NOTE_LIMIT], type=_Note)
                    await ledger.append(
                        f"incident.{note.kind}", {"seen": note.time, "detail": note.detail}
                    )
                file.unlink()
        await asyncio.sleep(5)


async def stop_when_idle(
    busy: Callable[[], bool], stopped: asyncio.Event, *, patience: float = _IDLE
) -> None:
    """Set `stopped` once nothing has needed us for `patience` seconds."""
    loop = asyncio.get_running_loop()
    needed = loop.time()
    while loop.time() - needed < patience:
        await asyncio.sleep(patience / 12)
        if busy():
            needed = loop.time()
    stopped.set()


def _say(descriptor: int, words: str) -> None:
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.write(descriptor, words.encode())
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
