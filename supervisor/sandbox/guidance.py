"""What a person types, or keeps in a file, so that a sandbox comes up with its task. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

INSIDE = "/run/taskpass/ca.pem"  # our certificates, as a sandbox sees them
KINDS = ("docker", "podman", "devcontainer", "ssh", "env")
_SOCKET = "/run/taskpass/proxy.sock"
_BRIDGE = f"socat TCP-LISTEN:3128,bind=127.0.0.1,fork UNIX-CONNECT:{_SOCKET}"


def lines(kind: str, folder: Path, listen: str, certificates: str) -> Iterator[str]:
    """How to start a sandbox of this kind.

    Args:
        folder: with `sandbox.env`, `ca.pem` and, without `listen`, `proxy.sock`.
        certificates: where the sandbox finds the certificates.
    """
    env, ca = folder / "sandbox.env", folder / "ca.pem"
    yield f"# The variables are in {env}, until the task ends; they let in whoever has them."
    if kind in ("docker", "podman"):
        words = [kind, "run", "--env-file", str(env)]
        if listen:
            words += ["--volume", f"{ca}:{certificates}:ro"]
        else:  # no way out but ours
            words += ["--network", "none", "--volume", f"{folder}:/run/taskpass"]
            yield f"# Inside, before the agent: {_BRIDGE} &"
        yield f"{shlex.join(words)} IMAGE AGENT …"
    elif kind == "devcontainer":
        mounted = f"source={ca},target={certificates},type=bind,readonly"
        runs = ["--env-file", str(env)]
        if not listen:
            runs += ["--network", "none"]
            mounted = f"source={folder},target=/run/taskpass,type=bind"
        told: dict[str, object] = {"runArgs": runs, "mounts": [mounted]}
        if not listen:
            told["postStartCommand"] = f"nohup {_BRIDGE} >/dev/null 2>&1 &"
        yield json.dumps(told, indent=2)
    elif kind == "ssh":
        there = listen or str(folder / "proxy.sock")
        yield f"scp {shlex.quote(str(ca))} HOST:{certificates}"
        yield (
            f"ssh -R 127.0.0.1:3128:{shlex.quote(there)} HOST env "
            f"\"$(tr '\\n' ' ' < {shlex.quote(str(env))})\" AGENT …"
        )
