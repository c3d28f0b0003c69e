"""The undo journal: what taskpass changed for the person outside its own directories, and how it
was before.

Whoever changes something makes its steps, records them, and only then changes it:

    step = file_step(path, after=new_content)
    await journal.record("moved 3 values of .env into the vault", [step, CredentialStep("stripe")])
    put(step.path, new_content, step.before)

An entry is durable before the change, so that a crash in between leaves something to undo. It is
sealed, content and all: whoever can write our files can neither read what a file held nor have it
put somewhere else. In clear stands what `taskpass undo --list` shows.

    state/undo/ID.json    {"v": 1, "head": {id, at, what, paths, credentials}, "sealed": …}
"""

from supervisor.undo.journal import Entry, Journal
from supervisor.undo.steps import (
    Before,
    CredentialStep,
    FileStep,
    Step,
    digest,
    file_step,
    put,
)

__all__ = [
    "Before",
    "CredentialStep",
    "Entry",
    "FileStep",
    "Journal",
    "Step",
    "digest",
    "file_step",
    "put",
]
