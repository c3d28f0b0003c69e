"""How a sign-in leaves this terminal: with or without a browser, and by the network's proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from supervisor.cli.browser import by_code, connected, has_browser, known_client
from supervisor.errors import IssuerFailed, UsageError
from supervisor.oauth.provider import Provider

PROVIDER = Provider("https://id.example.com", "https://id.example.com/token")


@pytest.mark.parametrize(
    ("environ", "seen"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"BROWSER": "firefox"}, True),
        ({}, False),
        ({"DISPLAY": ""}, False),
        ({"DISPLAY": "localhost:10", "SSH_CONNECTION": "10.0.0.2 1 10.0.0.1 22"}, False),
        ({"BROWSER": "firefox", "SSH_TTY": "/dev/pts/1"}, False),
    ],
    ids=str,
)
def test_a_page_is_opened_only_where_who_sits_here_sees_it(
    environ: dict[str, str], seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert has_browser(environ) is seen


@pytest.mark.parametrize(
    ("device", "asked", "ssh", "chosen"),
    [
        ("https://id.example.com/device", False, "", False),
        ("https://id.example.com/device", True, "", True),
        ("https://id.example.com/device", False, "10.0.0.2 1 10.0.0.1 22", True),
        ("", False, "10.0.0.2 1 10.0.0.1 22", False),  # it has no such way: the page is printed
    ],
)
def test_over_ssh_the_code_is_chosen_by_itself(
    device: str, asked: bool, ssh: str, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SSH_CONNECTION", ssh)
    for name in ("SSH_CLIENT", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    provider = replace(PROVIDER, device_authorization_endpoint=device)
    assert by_code(provider, asked=asked) is chosen


def test_a_client_that_nobody_has_registered_is_asked_for() -> None:
    with pytest.raises(UsageError, match="wants a client") as refused:
        known_client(PROVIDER, "", with_secret=False)  # and no terminal to ask in
    assert "--client-id" in refused.value.hint
    registers = Provider("https://id", "https://id/token", registration_endpoint="https://id/reg")
    assert known_client(registers, "", with_secret=False) is None


@pytest.mark.parametrize("text", ["a\x1b[2J", "a\nb"])
def test_an_id_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no client's id"):
        known_client(PROVIDER, text, with_secret=False)


@pytest.fixture
def short() -> Iterator[Path]:
    """An empty directory whose path leaves room for a socket's."""
    with TemporaryDirectory(prefix="tp-") as path:
        yield Path(path)


async def test_it_goes_by_the_networks_proxy(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    said: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readline())
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(short))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    async with connected() as http:
        with pytest.raises(IssuerFailed):
            await http.get("https://id.example.com/.well-known/openid-configuration")
    proxy.close()
    assert set(said) == {b"CONNECT id.example.com:443 HTTP/1.1\r\n"}  # a GET may be tried again
