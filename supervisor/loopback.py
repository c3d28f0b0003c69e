"""The machine's loopback as people name its services. Pure, and quick to import."""

from __future__ import annotations

from supervisor.errors import UsageError

# Ports of ours inside a contained task; its network is its own, so they are always free.
PROXY_PORT = 3128
HOOK_PORT = 3129
GIT_PORT = 3130
MCP_PORT = 3131
NAME_PORT = 53

HOSTS = ("127.0.0.1", "localhost")


def listed_port(text: str) -> int:
    """The port of a loopback service: `5432`, `localhost:5432`, `127.0.0.1:5432`.

    Raises:
        UsageError: it is none.
    """
    host, _, port = text.strip().rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() else 0
    if host not in ("", *HOSTS) or not 0 < number < 65536:
        raise UsageError(
            f"{text!r} is no service of this machine's loopback.",
            hint="Say its port, such as 5432 or localhost:5432.",
        )
    if number in (PROXY_PORT, HOOK_PORT, GIT_PORT, MCP_PORT, NAME_PORT):
        raise UsageError(
            f"Port {number} inside a task is the supervisor's.",
            hint="Let the service listen at another one.",
        )
    return number
