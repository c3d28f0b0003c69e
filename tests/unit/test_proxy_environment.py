"""What a tool's process is told: real bash, curl, git, Python and Node take it at its word."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from supervisor.channels.http import ca
from supervisor.channels.http.environment import (
    NAMES,
    bind_script,
    environment,
    proxy_url,
    shell_prefix,
    sourced,
)
from supervisor.errors import ConfigError, Denied, TaskpassError
from supervisor.protocol.binding import asking
from tests.support.proxy_fakes import HANDLE, SECRET, SURROGATE, Rig, listening, proxy_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with proxy_rig(tmp_path) as running:
        yield running


Prefix = Callable[[str, int], str]


@pytest.fixture(params=["in the command", "in a file"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> Prefix:
    if request.param == "in the command":
        return shell_prefix

    def by_file(handle: str, port: int) -> str:
        file = tmp_path / "it's bound"
        file.write_text(bind_script(port))
        return sourced(str(file), handle)

    return by_file


async def bash(
    script: str, *options: str, env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *("bash", *options, "-c", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | (env or {}),
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


# ── the prefix ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [(), ("-eu",), ("-euo", "pipefail"), ("--posix",)])
async def test_a_bound_command_runs_with_the_calls_handle(
    prefix: Prefix, rig: Rig, options: tuple[str]
) -> None:
    script = prefix(HANDLE, rig.channel.port) + 'echo "$HTTPS_PROXY ${TASKPASS_BOUND-none}"'
    code, out, err = await bash(script, *options)
    assert (code, out, err) == (0, f"{proxy_url(HANDLE, rig.channel.port)} none\n", "")
    assert [handle for handle, _ in rig.authorize.binds] == [HANDLE]


async def test_the_shell_itself_connects_and_keeps_no_descriptor(prefix: Prefix, rig: Rig) -> None:
    sockets = "for f in /proc/$$/fd/*; do readlink $f; done | grep -c socket"
    code, out, err = await bash(prefix(HANDLE, rig.channel.port) + f"{sockets}; echo $$")
    assert out.splitlines()[0] == "0", err
    assert code == 0


async def test_the_commands_own_status_and_descriptors_are_kept(prefix: Prefix, rig: Rig) -> None:
    bind = prefix(HANDLE, rig.channel.port)
    assert (await bash(bind + "(exit 7)"))[0] == 7
    code, out, err = await bash("exec 9>&1\n" + bind + "echo nine >&9")
    assert (code, out) == (0, "nine\n"), err


@pytest.mark.parametrize("options", [(), ("-eu",)])
async def test_an_unbound_command_does_not_start(
    prefix: Prefix, rig: Rig, options: tuple[str]
) -> None:
    rig.authorize.bound = False
    code, out, err = await bash(prefix(HANDLE, rig.channel.port) + "echo ran", *options)
    assert (code, out) == (125, "")
    assert err.startswith("taskpass: this command was not started")
    assert err.count("\n") == 1


async def test_without_a_supervisor_the_command_does_not_start(prefix: Prefix) -> None:
    closed = listening()
    port = closed.getsockname()[1]
    closed.close()
    code, out, err = await bash(prefix(HANDLE, port) + "echo ran", "-eu")
    assert (code, out) == (125, "")
    assert err.count("\n") == 1


async def test_hostile_handles_are_data(prefix: Prefix, rig: Rig) -> None:
    script = prefix("c-x:$(echo pwned)'`id`", rig.channel.port) + "echo ran"
    code, out, err = await bash(script)
    assert code == 125  # a blank is not part of a handle
    assert "pwned" not in out + err.replace("echo pwned", "")
    assert "uid=" not in out + err


# ── a shell that asks ───────────────────────────────────────────────────────────────────


async def test_a_shell_that_asks_is_bound_and_its_command_has_the_handle(rig: Rig) -> None:
    port = rig.channel.port
    rig.authorize.told = shell_prefix(HANDLE, port)
    env = {"https_proxy": f"http://agent@127.0.0.1:{port}"}
    script = asking() + 'echo "$https_proxy ${TASKPASS_PREFIX-none}"'
    code, out, err = await bash(script, env=env)
    assert (code, out, err) == (0, f"{proxy_url(HANDLE, port)} none\n", "")
    assert [handle for handle, _ in rig.authorize.binds] == [HANDLE]


@pytest.mark.parametrize("problem", [None, Denied("echo told")])
async def test_a_shell_that_is_told_nothing_is_no_calls(
    rig: Rig, problem: TaskpassError | None
) -> None:
    rig.authorize.told, rig.authorize.problem = "", problem
    agents = f"http://agent@127.0.0.1:{rig.channel.port}"
    code, out, err = await bash(asking() + 'echo "$https_proxy"', env={"https_proxy": agents})
    assert (code, out, err) == (0, f"{agents}\n", "")
    assert not rig.authorize.binds


# ── real clients, with nothing but the variables ────────────────────────────────────────

CLIENTS = {
    "curl": "curl -sS -H 'Authorization: Bearer {key}' https://{origin}/ok",
    "git": "git -c http.extraHeader='Authorization: Bearer {key}' ls-remote https://{origin}/ok",
    "python": sys.executable
    + " -c \"import urllib.request as u; print(u.urlopen(u.Request('https://{origin}/ok',"
    "headers={{'Authorization': 'Bearer {key}'}})).read().decode())\"",
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_clients_reach_the_server_through_the_proxy(
    prefix: Prefix, rig: Rig, client: str
) -> None:
    env = environment(str(rig.bundle), "http://overridden.invalid:1")
    command = CLIENTS[client].format(key=SURROGATE, origin=rig.origin)
    _, out, err = await bash(prefix(HANDLE, rig.channel.port) + command, env=env)
    assert rig.upstream.seen, out + err
    assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]
    assert SECRET not in out + err


def test_every_variable_is_named() -> None:
    assert set(environment("/b", "http://p")) == NAMES
    assert environment("/b", "http://p")["NO_PROXY"] == ""
    assert environment("/b", "http://p", no_proxy="localhost")["no_proxy"] == "localhost"
    assert proxy_url("", 9) == "http://127.0.0.1:9"
    assert proxy_url("a b:c@d", 9) == "http://a%20b:c%40d@127.0.0.1:9"


# ── the authority ───────────────────────────────────────────────────────────────────────


def test_leaves_live_less_than_a_day_and_verify_with_openssl(tmp_path: Path) -> None:
    authority = ca.CertificateAuthority()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    from cryptography.hazmat.primitives.serialization import Encoding

    for host in ("api.example", "127.0.0.1", "::1", "a." * 60 + "example"):
        leaf = authority.leaf(host)
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        assert life.total_seconds() <= 24 * 3600
        (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "leaf.pem"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_a_later_authority_with_the_same_key_is_believed_by_running_tasks(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    old = load_pem_x509_certificate(ca.CertificateAuthority(key).pem())
    ca.CertificateAuthority(key).leaf("api.example").verify_directly_issued_by(old)
    with pytest.raises(Exception):  # noqa: B017, PT011 -- any refusal is right
        ca.CertificateAuthority().leaf("api.example").verify_directly_issued_by(old)


def test_contexts_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca, "_KEPT", 3)
    authority = ca.CertificateAuthority()
    first = authority.context("a.example")
    assert authority.context("a.example") is first
    for host in ("b.example", "c.example", "a.example", "d.example"):
        authority.context(host)
    assert authority.context("a.example") is first
    assert len(authority._contexts) == 3


def test_no_key_touches_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def spy(self: ssl.SSLContext, certfile: str, keyfile: str) -> None:
        paths.extend((certfile, keyfile))
        for path in paths:
            assert os.readlink(path.replace("/dev/fd", "/proc/self/fd")).startswith("pipe:")
        load(self, certfile, keyfile)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    before = set(os.listdir("/proc/self/fd"))
    ca.CertificateAuthority().context("api.example")
    assert len(paths) == 2
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_bundle_is_the_systems_roots_and_ours(tmp_path: Path) -> None:
    authority = ca.CertificateAuthority()
    made = ca.bundle(ca.system_roots(), authority)
    (tmp_path / "bundle.pem").write_bytes(made)
    system = ca.system_roots().read_bytes()
    assert made.count(b"BEGIN CERTIFICATE") == system.count(b"BEGIN CERTIFICATE") + 1
    ssl.create_default_context(cafile=str(tmp_path / "bundle.pem"))
    assert b"PRIVATE" not in made
    with pytest.raises(ConfigError, match="Cannot read"):
        ca.bundle(tmp_path / "missing", authority)
