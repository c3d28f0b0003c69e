"""Every table of the knowledge of programs is well-formed, and its examples hold."""

from __future__ import annotations

import pytest

from supervisor.effects.knowledge import check
from supervisor.effects.knowledge.index import FOLDER, Knowledge
from supervisor.effects.knowledge.tables import KnowledgeError

_FILES = sorted(FOLDER.glob("*.toml"))


@pytest.fixture(scope="module")
def tables() -> Knowledge:
    return Knowledge.load()


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_tables_and_their_examples(file, tables):
    assert list(check.check([file], tables)) == []


def test_no_program_has_two_tables(tables):
    assert tables.faults == []


def _tables(text: str) -> Knowledge:
    return Knowledge([("here.toml", text)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('["x"]\noperand = "read"\n', "unknown field 'operand'"),
        ('["x"]\noperands = "reads"\n', "unknown role 'reads'"),
        ('["x"]\nact = "outward"\n', "unknown value 'outward'"),
        ('["x"]\noptions = { "-o" = "file" }\n', "unknown role 'file'"),
        ('["x"]\noperands = "read... write..."\n', "only one role"),
        ('["x"]\noperands = "program..."\n', "style = posix"),
        ('["x"]\neffects = ["burn /"]\n', "not an effect"),
        ('["x"]\n["x".when."-q"]\nact = "discard"\n', "option -q is not listed"),
        ('["x"]\nlike = "y"\n', "like an unknown table"),
        ('["x"]\nflags = 3\n', "flags must be one string"),
    ],
)
def test_a_wrong_table_is_told_with_its_file_and_key(text, told):
    with pytest.raises(KnowledgeError) as caught:
        _tables(text).table(("x",))
    assert told in str(caught.value)
    assert "here.toml" in str(caught.value)
    assert "x" in str(caught.value)


def test_a_second_table_of_a_program_is_a_fault_and_makes_it_unknown():
    tables = _tables('["x"]\nflags = "-a"\n["x"]\nflags = "-b"\n')
    assert "'x' has a table already" in tables.faults[0]
    with pytest.raises(KnowledgeError):
        tables.table(("x",))


def test_another_name_keeps_the_subcommands_that_are_its_own() -> None:
    tables = _tables(
        '["docker"]\nalso = ["podman"]\nflags = "-D"\n["docker ps"]\nflags = "-a"\n'
        '["podman generate"]\nact = "containers"\noperands = "text..."\n'
    )
    own = tables.table(("podman", "generate"))
    assert own is not None
    assert own.act == "containers"
    listing = tables.table(("podman", "ps"))
    assert listing is not None
    assert "-a" in listing.options
    assert tables.table(("docker", "generate")) is None
    podman = tables.table(("podman",))
    assert podman is not None
    assert podman.subcommands == {"ps", "generate"}


def test_aliases_and_likeness_carry_subcommands():
    tables = _tables(
        '["docker"]\nalso = ["dk"]\nflags = "-D"\n["docker ps"]\nflags = "-a"\n'
        '["podman"]\nlike = "docker"\n'
    )
    for name in ("docker", "dk", "podman"):
        program = tables.table((name,))
        child = tables.child(program, "ps")
        assert {"-a", "-D"} <= set(child.options)


def test_a_wrong_example_is_told():
    tables = _tables('["x"]\noperands = "read"\nexamples = [\n  ["x a", "write a"],\n]\n')
    fault = check.compare("x a", ["write a"], tables)
    assert "gives read /work/project/a, not write /work/project/a" in fault
