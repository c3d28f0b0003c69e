"""Stand-ins that a file of the person's holds: one for all tasks, known by its digest alone.

They are kept with the credential (`CredentialSpec.options`), since the file outlives every task.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from supervisor.model import CredentialSpec

FILE = "file"  # absolute path of the file that holds it
_DIGEST = "stand_in"


def spec_options(path: str, stand_in: str) -> dict[str, str]:
    """The options of a credential whose stand-in the file `path` holds."""
    return {FILE: path, _DIGEST: digest(stand_in)}


def digests(specs: Iterable[CredentialSpec]) -> dict[str, str]:
    """Digest of the stand-in → name of the credential."""
    return {spec.options[_DIGEST]: spec.name for spec in specs if _DIGEST in spec.options}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def admission(digest_of_it: str) -> str:
    """What a task's own stand-ins hold for one that it may use; no header can carry it."""
    return f"\0{digest_of_it}"


def lent_in(spec: CredentialSpec, workspace: str) -> bool:
    """Whether tasks there are lent it: what came from a file, only where that file lies."""
    path = spec.options.get(FILE, "")
    return not path or path.startswith(os.path.realpath(workspace).rstrip("/") + "/")
