"""Readers of programs with many options, of TeX, and of interpreters that nobody reads."""

from __future__ import annotations

import pytest

from supervisor.effects.files import Place
from supervisor.effects.knowledge.check import written
from supervisor.effects.knowledge.index import Knowledge
from supervisor.effects.programs import read_program
from supervisor.effects.reading import Reading, Where, Word

_TABLES = Knowledge(
    [
        (
            "here.toml",
            """
["convert-all"]
reader = "any_files"

["typeset"]
reader = "tex"
flags = "-draftmode"
operands = "library?"
act = "project"

["lisp"]
reader = "interpreter"
flags = "-q"
options = { "-e" = "opaque" }
operands = "library? text..."
act = "project"
""",
        )
    ]
)


class _NoShell:
    def run(self, words, where, reading):
        raise AssertionError("nothing is handed on")

    def script(self, text, where, reading):
        raise AssertionError("nothing is handed on")


def _effects(*words: Word | str, stdin: str = ""):
    reading = Reading()
    where = Where(Place("/w", "/home/ana"), "/w", stdin=stdin)
    command = [Word(word) if isinstance(word, str) else word for word in words]
    read_program(command, where, reading, _NoShell(), tables=_TABLES)
    return reading.effects


def _said(*words: Word | str) -> set[str]:
    return {written(effect) for effect in _effects(*words)[1:]}


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (["a.png", "b.jpg"], {"/w/a.png", "/w/b.jpg"}),
        (["-o", "/etc/x"], {"/etc/x"}),
        (["-o/etc/x"], {"/etc/x"}),
        (["--out=/etc/x"], {"/etc/x"}),
        (["--out=sub/x"], {"/w/sub/x"}),
        (["-f", "list:../x"], {"/x", "/w/list:../x"}),
        (["--set", "a,/etc/x"], {"/etc/x", "/w/a,/etc/x"}),
        (["-q", "80", "-s", "1.5e3"], set()),
        (["-p../x"], {"/x"}),
    ],
)
def test_each_word_may_be_a_file(words, paths):
    wanted = {f"{verb} {path}" for path in paths for verb in ("read", "write")}
    assert wanted <= _said("convert-all", *words)
    if not paths:
        assert _said("convert-all", *words) == set()


def test_an_address_is_fetched_and_no_file():
    assert _said("convert-all", "https://example.com/a.png") == {"http GET example.com/a.png"}


def test_a_word_of_the_running_command_is_not_read_beforehand():
    run = _effects("convert-all", Word("$x", exact=False))[0]
    assert run.attributes["uninspectable"]


def test_typesetting_a_file_of_the_workspace_is_the_projects_work():
    run, *others = _effects("typeset", "-draftmode", "paper.tex")
    assert run.attributes["act"] == "project"
    assert not run.attributes["uninspectable"]
    assert [written(effect) for effect in others] == ["read /w/paper.tex"]


def test_an_option_of_the_typesetter_that_is_not_described_is_unknown():
    run = _effects("typeset", "-shell-escape", "paper.tex")[0]
    assert run.attributes["why"]
    assert not run.attributes["known"]


@pytest.mark.parametrize("word", ["\\input{/etc/passwd}", "&latex x"])
def test_code_for_the_typesetter_is_not_read_beforehand(word):
    assert _effects("typeset", word)[0].attributes["uninspectable"]


def test_an_interpreter_without_a_program_waits_for_a_person():
    assert _effects("lisp", "-q")[0].attributes["act"] == "interactive"


@pytest.mark.parametrize("stdin", ["pipe", "file", "text"])
def test_an_interpreter_that_is_fed_is_not_read_beforehand(stdin):
    assert _effects("lisp", stdin=stdin)[0].attributes["uninspectable"]


def test_an_interpreter_runs_the_file_of_the_workspace():
    run, *others = _effects("lisp", "a.lisp", "x")
    assert run.attributes["act"] == "project"
    assert [written(effect) for effect in others] == ["read /w/a.lisp"]


@pytest.mark.parametrize("words", [["-e", "(x)"], ["/tmp/a.lisp"]])
def test_other_code_is_not_read_beforehand(words):
    assert _effects("lisp", *words)[0].attributes["uninspectable"]
