"""What a person types, or keeps in a file, so that a sandbox comes up with its task. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

INSIDE = "/run/taskpass/ca.pem"  # our certificates, as a sandbox sees them
PORT = 3128  # where a container finds the proxy, by whatever leads there
SSH = "ssh"
KINDS = ("docker", "podman", "devcontainer", SSH, "env")
_SOCKET = "/run/taskpass/proxy.sock"
_BRIDGE = f"socat TCP-LISTEN:{PORT},bind=127.0.0.1,fork UNIX-CONNECT:{_SOCKET}"


def there(folder: Path) -> str:
    """The directory on another machine for the files of `folder`: made there, or it is refused."""
    return f"/tmp/taskpass-{folder.name.removeprefix('sandbox-')}"  # noqa: S108


def lines(kind: str, folder: Path, listen: str, port: int, certificates: str) -> Iterator[str]:
    """How to start a sandbox of this kind.

    Args:
        folder: with `sandbox.env`, `sandbox.sh`, `ca.pem` and, without `listen`, `proxy.sock`.
        port: of the sandbox's own loopback, where it finds the proxy.
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
    elif kind == SSH:
        # By files and not as words: everybody on a machine sees the words of its programs.
        target, here = there(folder), shlex.quote(str(folder))
        take = f"umask 077 && mkdir {target} && tar -xf - -C {target}"
        yield f"tar -cf - -C {here} sandbox.sh ca.pem | ssh HOST '{take}'"
        way = shlex.quote(f"127.0.0.1:{port}:{folder / 'proxy.sock'}")
        yield f"ssh -t -o ExitOnForwardFailure=yes -R {way} HOST sh {target}/sandbox.sh AGENT …"


def script(told: Mapping[str, str]) -> str:
    """A program (sh) that runs its arguments with these variables.

    In the end it removes itself and the certificates beside it.
    """
    variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in told.items())
    return (
        "#!/bin/sh\n"
        'here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 125\n'
        'trap \'rm -f -- "$here/sandbox.sh" "$here/ca.pem"; rmdir -- "$here"\' EXIT\n'
        "trap 'exit 129' HUP; trap 'exit 143' TERM; trap : INT\n"
        f"{variables}"
        '"$@"\n'
    )
