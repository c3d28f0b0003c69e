"""Real agents read and write outside their workspace with their own tools, once a person agreed."""

from __future__ import annotations

from typing import Any

from tests.support.live import Person
from tests.support.scripted_model import call
from tests.support.supervised import Supervised


def _steps(supervised: Supervised, notes: str) -> list[Any]:
    """Make a new file, and change one that is there, with the agent's file tools."""
    if supervised.is_claude:
        return [
            call("Write", file_path=f"{notes}/new/plan.md", content="a plan\n"),
            call("Read", file_path=f"{notes}/todo"),
            call("Edit", file_path=f"{notes}/todo", old_string="one", new_string="two"),
        ]
    added = f"*** Begin Patch\n*** Add File: {notes}/new/plan.md\n+a plan\n*** End Patch"
    changed = f"*** Begin Patch\n*** Update File: {notes}/todo\n@@\n-one\n+two\n*** End Patch"
    return [supervised.shell(f"apply_patch <<'EOF'\n{patch}\nEOF") for patch in (added, changed)]


async def test_files_outside_are_made_and_changed_when_a_person_approves(
    supervised: Supervised,
) -> None:
    notes = supervised.install.home / "notes"
    notes.mkdir()
    (notes / "todo").write_text("one\n")
    (notes / "private").write_text("not asked about\n")
    with Person(supervised.install) as person:
        person.answers("")
        output = await supervised.run(
            *_steps(supervised, str(notes)), supervised.shell(f"ls {notes} {notes}/new")
        )
    results = supervised.model.last.results.values()
    assert (notes / "new/plan.md").read_text() == "a plan\n", (output, results)
    assert (notes / "todo").read_text() == "two\n", (output, results)
    assert "private" not in supervised.last_result()
    made = [path for record in await supervised.records("doors.closed") for path in record["made"]]
    assert made == [f"{notes}/new/plan.md"]
