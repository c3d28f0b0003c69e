"""A secret as it is stored: with where it may go.

`credentials.toml` is plain text; whoever edits it must not be able to redirect a secret.
"""

from __future__ import annotations

import json

from supervisor.errors import UsageError, VaultLocked
from supervisor.model import CredentialSpec
from supervisor.ports import Secret
from supervisor.vault.limits import LONGEST, SHORTEST


def check_secret(secret: Secret, issuer: str) -> None:
    """Raises UsageError: it cannot be used, or stood in for."""
    value = secret.value
    if not value and issuer == "stored":
        raise UsageError("There is no secret to store.", hint="Type it, or pass it on stdin.")
    if value and not SHORTEST <= len(value) <= LONGEST:
        raise UsageError(
            f"The secret has {len(value)} characters; it must have {SHORTEST} to {LONGEST}.",
            hint="A stand-in for a shorter one could be met by chance.",
        )
    # What an issuer works with never stands in a header: a private key has lines.
    allowed = "" if issuer == "stored" else "\n"
    if any((each < " " or each == "\x7f") and each not in allowed for each in value):
        raise UsageError(
            "The secret contains line breaks or control characters.",
            hint="A header cannot carry them. Was more than the secret pasted?",
        )


def sealed(spec: CredentialSpec, secret: Secret) -> str:
    return json.dumps({"secret": secret.value, "for": _binding(spec)})


def opened(spec: CredentialSpec, text: str) -> Secret:
    """Raises VaultLocked: it is not in our format, or the spec says something else by now."""
    try:
        content = json.loads(text)
        value, binding = content["secret"], content["for"]
    except (ValueError, KeyError, TypeError):
        raise VaultLocked(
            f"The stored secret of {spec.name} is not in our format.",
            hint=f"Remove it and add it again: taskpass credential remove {spec.name}",
        ) from None
    if binding != _binding(spec):
        raise VaultLocked(
            f"The hosts or the header of {spec.name} were changed outside taskpass.",
            hint=f"If that was you: taskpass credential remove {spec.name}, then add it again.",
        )
    return Secret(value)


def _binding(spec: CredentialSpec) -> dict[str, object]:
    return {
        "issuer": spec.issuer,
        "hosts": list(spec.hosts),
        "header": spec.header,
        "scheme": spec.scheme,
        "env": spec.env,
        # Where an issuer goes with it (a token endpoint) is in these.
        **({"options": dict(spec.options)} if spec.options else {}),
    }
