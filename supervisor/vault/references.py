"""Secrets that stay where they are: a reference names one, and is looked up when it is used.

| reference | looked up by |
|---|---|
| `cmd://gh auth token` | that command; words are split as a shell does, and no shell runs |
| `op://VAULT/ITEM/[SECTION/]FIELD` | `op read` (1password.com, "Use secret references") |
| `vault://MOUNT/PATH#FIELD` | `vault kv get`, or OpenBao's `bao kv get`, with the person's token |
| `env://NAME` | the environment of the `taskpass run` that started the task |

MOUNT is one name, PATH may have several.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.errors import UsageError
from supervisor.model import CredentialSpec

# Keys of `CredentialSpec.options`.
FROM = "from"  # the reference
PROGRAM = "program"  # absolute path of what looks it up, as found when it was added
_VARIABLE = "env."  # … and what that one is told besides: "env.VAULT_ADDR"

# Where the programs are to look: what a person sets in a shell's settings. None is a secret.
_TOLD = (
    "GH_CONFIG_DIR", "GH_HOST",
    "OP_ACCOUNT", "OP_CONFIG_DIR", "OP_BIOMETRIC_UNLOCK_ENABLED",
    "VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_CONFIG_PATH",
    "BAO_ADDR", "BAO_NAMESPACE", "BAO_CACERT", "BAO_CAPATH", "BAO_CONFIG_PATH",
    "AWS_PROFILE", "AWS_REGION", "CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LONGEST = 1024

_HINT = "Write cmd://PROGRAM …, op://VAULT/ITEM/FIELD, vault://MOUNT/PATH#FIELD or env://NAME."


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference, taken apart: a command to run, or the name of a variable."""

    text: str
    argv: tuple[str, ...] = ()
    variable: str = ""


def parse(text: str) -> Reference:
    """Raises UsageError: it is no reference."""
    scheme, _, rest = text.partition("://")
    if not rest or len(text) > _LONGEST or not text.isprintable():
        raise _wrong(text)
    if scheme == "env" and _NAME.fullmatch(rest):
        return Reference(text, variable=rest)
    if scheme == "op" and len([part for part in rest.split("/") if part]) in (3, 4):
        return Reference(text, ("op", "read", "--no-newline", text))
    if scheme == "vault":
        return Reference(text, _kv_get(text, rest))
    if scheme == "cmd":
        try:
            words = shlex.split(rest)
        except ValueError:
            raise UsageError(f"{text!r} has a quote that is not closed.", hint=_HINT) from None
        if words and words[0]:
            return Reference(text, tuple(words))
    raise _wrong(text)


def _kv_get(text: str, rest: str) -> tuple[str, ...]:
    place, _, field = rest.partition("#")
    mount, _, path = place.partition("/")
    if not (mount and path and field) or path.startswith("-"):
        raise _wrong(text)
    return ("vault", "kv", "get", f"-mount={mount}", f"-field={field}", path)


def _wrong(text: str) -> UsageError:
    return UsageError(f"{text[:80]!r} is no reference to a secret.", hint=_HINT)


def options_for(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The options of a credential that is kept as a reference.

    The program is looked for now, and called by its path from then on: what comes to stand before
    it in PATH later is not asked for secrets.

    Args:
        environ: of the person who adds it.

    Raises:
        UsageError: it is no reference, or there is no such program.
    """
    found = parse(text)
    if found.variable:
        return {FROM: text}
    names = ("vault", "bao") if found.argv[0] == "vault" else found.argv[:1]
    path = environ.get("PATH", os.defpath)
    program = next((at for name in names if (at := shutil.which(name, path=path))), None)
    if program is None:
        raise UsageError(
            f"There is no program {' or '.join(names)} here, which {text} needs.",
            hint="Install it, or give its path.",
        )
    # A proxy's address may hold a password: such a one is not written down.
    told = {
        _VARIABLE + name: environ[name]
        for name in _TOLD
        if environ.get(name) and "@" not in environ[name]
    }
    return {FROM: text, PROGRAM: os.path.abspath(program), **told}


def command_of(spec: CredentialSpec) -> tuple[tuple[str, ...], dict[str, str]]:
    """What to run for a credential's secret, and variables to tell it.

    Raises:
        UsageError: its options do not name a command.
    """
    argv = parse(spec.options.get(FROM, "")).argv
    program = spec.options.get(PROGRAM, "")
    if not argv or not os.path.isabs(program):
        raise UsageError(
            f"{spec.name} does not say which program looks its secret up.",
            hint=f"Remove it and add it again: taskpass credential remove {spec.name}",
        )
    told = {
        key.removeprefix(_VARIABLE): value
        for key, value in spec.options.items()
        if key.startswith(_VARIABLE) and key.removeprefix(_VARIABLE) in _TOLD
    }
    return (program, *argv[1:]), told
