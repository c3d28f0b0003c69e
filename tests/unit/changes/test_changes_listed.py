"""How `taskpass changes` lists a set."""

from __future__ import annotations

from supervisor.cli.changes import collapsed
from supervisor.protocol.wire import ChangeView


def _added(path: str, after: str = "file", risk: str = "") -> ChangeView:
    return ChangeView(path=path, kind="added", after=after, risk=risk)


def test_a_large_new_directory_is_one_line_but_for_what_deserves_a_look() -> None:
    modules = [_added("node_modules", "directory"), _added("node_modules/a", "directory")]
    modules += [_added(f"node_modules/a/{number}") for number in range(30)]
    modules.append(_added("node_modules/a/.envrc", risk="runs by itself"))
    small = [_added("src", "directory"), _added("src/one"), _added("src/two")]
    changed = ChangeView(path="old.py", kind="modified", before="file", after="file")
    listed = collapsed([*modules, changed, *small])
    assert [(change.path, inner) for change, inner in listed] == [
        ("node_modules", 32),
        ("node_modules/a/.envrc", 0),
        ("old.py", 0),
        ("src", 0),
        ("src/one", 0),
        ("src/two", 0),
    ]


def test_what_changed_in_a_directory_that_was_there_is_all_listed() -> None:
    changes = [_added(f"src/{number:02}") for number in range(40)]
    assert collapsed(changes) == [(change, 0) for change in changes]
