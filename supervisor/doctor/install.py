"""What is installed and running: agents, the supervisor, the vault, the terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from supervisor import places
from supervisor.channels.http.ca import load_key, system_roots
from supervisor.cli import exchange
from supervisor.config import load_user_config
from supervisor.doctor.report import Finding, State
from supervisor.errors import TaskpassError
from supervisor.process.emulator import engine
from supervisor.protocol import proof
from supervisor.protocol.wire import PROTOCOL
from supervisor.vault import specs as spec_file
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE
from supervisor.vault.stores import Stores
from supervisor.vault.system_keyring import find_keyring

_PATIENCE = 5.0  # seconds for a supervisor to say hello


class Known(Protocol):
    """What is known of an agent: `profiles.manifest.Manifest`."""

    @property
    def title(self) -> str: ...
    @property
    def programs(self) -> tuple[str, ...]: ...
    @property
    def tested(self) -> tuple[str, ...]: ...
    @property
    def minimum(self) -> str: ...


def agent(known: Known, program: str, version: str, outdated: bool) -> Finding:
    """One agent. `program`: its path, "" where it is not installed; `version`: "" unknown."""
    if not program:
        return Finding("agents", State.NOTE, f"{known.title} is not installed")
    what = f"{known.title} {version or 'of unknown version'} ({program})"
    if outdated:
        step = f"update it to {known.minimum} or later"
        return Finding("agents", State.PROBLEM, f"{what} cannot be supervised", step)
    if version in known.tested:
        return Finding("agents", State.OK, what)
    tested = ", ".join(known.tested) or "recorded inputs only"
    return Finding("agents", State.NOTE, f"{what}; tested with {tested}")


def which(programs: Sequence[str], path: str) -> str:
    """The first of these programs that is installed, by its real path; "" for none."""
    found = (shutil.which(name, path=path) for name in programs)
    return next((os.path.realpath(each) for each in found if each), "")


def vault(state: str) -> list[Finding]:
    """Where secrets are kept, or the first of them would be, and whether a better place answers."""
    stores = Stores(Path(state), None, find_keyring)
    keyring = find_keyring(Path(state)) is not None
    try:
        kept = spec_file.load(Path(state, "credentials.toml")).values()
        used = next((spec.protection for spec in kept if spec.protection), "")
        where = stores.pinned() or used or (KEYRING if keyring else FILE_KEY)
    except TaskpassError as error:
        return [Finding("vault", State.PROBLEM, error.message, error.hint)]
    if where == KEYRING and not keyring:
        what = "secrets are kept in the system keyring, and none answers"
        step = "log in to its desktop, or: taskpass credential protect passphrase"
        return [Finding("vault", State.PROBLEM, what, step)]
    if where == KEYRING:
        return [Finding("vault", State.OK, "secrets are kept in the system keyring")]
    if where == PASSPHRASE:
        what = "secrets are kept in a file encrypted by a passphrase; taskpass unlock asks for it"
        return [Finding("vault", State.OK, what)]
    better = "keyring" if keyring else "passphrase"
    what = "secrets are kept in an encrypted file, its key beside it"
    return [Finding("vault", State.NOTE, what, f"taskpass credential protect {better}")]


def authority(state: Path) -> Finding:
    """The key that vouches for hosts to tasks, once there is one, and the roots we believe."""
    try:
        system_roots()
        if not (state / "ca.key").exists():
            return Finding("CA", State.OK, "the first task makes one, for tasks alone")
        load_key(state)
    except TaskpassError as error:
        return Finding("CA", State.PROBLEM, error.message, error.hint)
    return Finding("CA", State.OK, "ours, believed by tasks alone")


def configuration(folder: str) -> Finding:
    """The person's `config.toml`."""
    path = Path(folder, "config.toml")
    try:
        load_user_config(path)
    except TaskpassError as error:
        return Finding("configuration", State.PROBLEM, error.message, error.hint)
    return Finding("configuration", State.OK, str(path) if path.exists() else "the defaults")


def supervisor(version: str) -> Finding:
    """Whether one runs, proves to be ours, and is of this version. Starts none."""
    connection = exchange.connect(places.socket())
    if connection is None:
        return Finding("supervisor", State.OK, "not running; the next task starts it")
    nonce = proof.new_nonce()
    try:
        connection.settimeout(_PATIENCE)
        with open(places.install_key(), "rb") as file:
            key = file.read()
        exchange.send(connection, "GET", f"/v1/hello?nonce={nonce}")
        hello = exchange.receive(connection)
        genuine = exchange.peer_uid(connection) == os.geteuid()
    except (OSError, ValueError, exchange.Answered) as error:
        return _stranger(f"does not answer as ours ({error})")
    finally:
        connection.close()
    if not genuine or not proof.shown(key, nonce, str(hello.get("proof", ""))):
        return _stranger("cannot prove to be ours")
    running = str(hello.get("version"))
    what = f"running, version {running}, pid {hello.get('pid')}"
    if hello.get("protocol") != PROTOCOL or running != version:
        step = "`taskpass stop` when no task needs it; the next one starts the new version"
        state = State.NOTE if hello.get("protocol") == PROTOCOL else State.PROBLEM
        return Finding("supervisor", state, f"{what}; this is {version}", step)
    return Finding("supervisor", State.OK, what)


def _stranger(what: str) -> Finding:
    step = "find out who listens there: `ss -xlp`"
    return Finding("supervisor", State.PROBLEM, f"what listens on {places.socket()} {what}", step)


def terminal(environ: Mapping[str, str], size: tuple[int, int] | None) -> list[Finding]:
    """Whether screens can be shown here. `size`: columns and rows, None without a terminal."""
    findings = []
    try:
        if engine().__module__.endswith("bittty"):
            what = "pyghostty does not load here: panes use bittty, a hundred times slower"
            findings.append(Finding("terminal", State.NOTE, what))
    except ImportError:
        what = "the terminal emulator is not installed: only --headless works"
        findings.append(Finding("terminal", State.PROBLEM, what, "install taskpass again"))
    if size is None:
        return [*findings, Finding("terminal", State.NOTE, "none here")]
    columns, rows = size
    term = environ.get("TERM", "")
    if term in ("", "dumb"):
        what = f"TERM is {term or 'not set'}: no screen can be drawn"
        step = "use a terminal that says what it is, or --headless"
        findings.append(Finding("terminal", State.PROBLEM, what, step))
    words = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if "utf" not in words.lower():
        what = f"the locale {words or 'C'} is not UTF-8: lines and signs may be wrong"
        findings.append(Finding("terminal", State.NOTE, what, "set LANG, as C.UTF-8"))
    if columns < 80 or rows < 24:
        findings.append(Finding("terminal", State.NOTE, f"small: {columns}×{rows}"))
    return findings or [Finding("terminal", State.OK, f"{term}, {columns}×{rows}")]
