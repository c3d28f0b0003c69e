"""What simple commands do by the tables and readers, in a workspace with files in it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from supervisor.effects.files import Place
from supervisor.effects.knowledge.check import written
from supervisor.effects.knowledge.index import Knowledge
from supervisor.effects.programs import read_program
from supervisor.effects.programs.options import split
from supervisor.effects.reading import Reading, Where, Word
from supervisor.effects.shell import shell_effects
from supervisor.model import Verb


@pytest.fixture
def told(tmp_path):
    """All effects of a command in the workspace `tmp_path`, as examples write them."""
    workspace = tmp_path / "w"
    workspace.mkdir()

    def effects(command: str) -> list[str]:
        found = shell_effects(command, str(workspace), Place.of(str(workspace), "/home/ana"))
        why = ["opaque" for effect in found if effect.verb is Verb.RUN and effect.attributes["why"]]
        said = [written(effect).replace(str(workspace) + "/", "") for effect in found]
        return [*said, *why[:1]]

    effects.workspace = workspace
    return effects


# ── Options ─────────────────────────────────────────────────────────────────────────────

_TABLES = Knowledge(
    [
        (
            "here.toml",
            """
["t"]
flags = "-a -b --all +e -NUMBER"
options = { "-o --output" = "write" }
optional = { "-i --in-place" = "text" }
operands = "read..."

["s"]
style = "single"
flags = "-v"
options = { "-cp" = "text" }
optional = { "-D" = "text" }

["w"]
style = "posix"
flags = "-a"
operands = "text program..."
""",
        )
    ]
)


def given(text: str):
    words = [Word(word) for word in text.split()]
    table = _TABLES.table((words[0].text,))
    found = split(words, 1, table)
    options = [(option.names[0], value.text if value else None) for option, value in found.options]
    return options, [word.text for word in found.operands], found.problems


@pytest.mark.parametrize(
    ("text", "options", "operands"),
    [
        ("t -ab x", [("-a", None), ("-b", None)], ["x"]),
        ("t x -o y z", [("-o", "y")], ["x", "z"]),
        ("t -oy -abo z", [("-o", "y"), ("-a", None), ("-b", None), ("-o", "z")], []),
        ("t --output=y --all -- -a", [("-o", "y"), ("--all", None)], ["-a"]),
        ("t -i.bak -i x -20 +e -", [("-i", ".bak"), ("-i", None), ("+e", None)], ["x", "-"]),
        ("s -cp a:b -Dx=y --v z", [("-cp", "a:b"), ("-D", "x=y"), ("-v", None)], ["z"]),
        ("w -a 5 ls -a", [("-a", None)], ["5", "ls", "-a"]),
    ],
)
def test_words_are_split_as_the_table_says(text, options, operands):
    assert given(text) == (options, operands, [])


@pytest.mark.parametrize("text", ["t --other", "t -x", "t -ax", "t --outp=y", "t --all=3", "t -o"])
def test_what_the_table_does_not_describe_is_a_problem(text):
    assert given(text)[2]


def test_a_shortened_option_does_what_the_listed_one_does():
    assert given("t --outp=y")[0] == [("-o", "y")]


def test_a_word_that_is_only_known_later_may_be_an_option():
    table = _TABLES.table(("t",))
    assert split([Word("t"), Word("", exact=False)], 1, table).problems
    assert not split([Word("t"), Word("src/", exact=False, begins="src/")], 1, table).problems
    assert not split([Word("t"), Word("--"), Word("", exact=False)], 1, table).problems
    assert not split([Word("t"), Word("-o"), Word("", exact=False)], 1, table).problems


# ── Runs ────────────────────────────────────────────────────────────────────────────────


class _Nobody:
    def run(self, words, where, reading):
        raise AssertionError

    script = run


def test_a_run_carries_all_its_attributes():
    reading = Reading()
    where = Where(Place("/w", "/home/ana"), "/w")
    words = [Word("/usr/bin/git"), Word("commit"), Word("-m"), Word("a b")]
    read_program(words, where, reading, _Nobody())
    assert dict(reading.effects[0].attributes) == {
        "program": "git",
        "argv0": "/usr/bin/git",
        "arguments": "commit -m a b",
        "subcommand": "commit",
        "text": "/usr/bin/git commit -m 'a b'",
        "known": True,
        "uninspectable": False,
        "act": "",
        "source": "",
        "why": "",
    }


def test_an_unknown_program_says_so():
    reading = Reading()
    read_program(
        [Word("frobnicate"), Word("x")], Where(Place("/w", "/h"), "/w"), reading, _Nobody()
    )
    attributes = reading.effects[0].attributes
    assert (attributes["known"], attributes["uninspectable"]) == (False, False)
    assert attributes["why"] == "frobnicate is not known"


def test_work_is_bounded():
    reading = Reading(budget=3)
    where = Where(Place("/w", "/h"), "/w")
    for _ in range(3):
        read_program([Word("cat"), Word("a")], where, reading, _Nobody())
    assert reading.effects[-1].attributes["uninspectable"] is True


# ── Programs ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cp -r a/. b", ["run cp", "read a", "write b"]),
        ("chmod u+s x", ["run chmod", "write x"]),
        ("find . -name '*.pyc' -delete", ["run find", "delete *.pyc"]),
        ("find . -name .env -exec cat {} +", ["run find", "run cat", "read .env"]),
        ("find . ! -name '*.py' -exec rm {} ';'", ["run find", "run rm", "delete *"]),
        ("find . -name a -o -type f -exec rm {} +", ["run find", "run rm", "delete *"]),
        ("find . -name .env | xargs cat", ["run find", "run xargs", "run cat", "read .env"]),
        ("echo a b | xargs rm -f", ["run echo", "run xargs", "run rm", "delete a", "delete b"]),
        ("cat list | xargs rm", ["run cat", "read list", "run xargs", "run rm", "opaque"]),
        ("sh -c 'cat $1' _ a", ["run sh", "run cat", "read a"]),
        ("bash <<< 'cat a'", ["run bash", "run cat", "read a"]),
        ("timeout 5 nice -n 3 env A=1 cat a",
         ["run timeout", "run nice", "run env", "run cat", "read a"]),
        ("env -S 'sh -c \"cat a\"'", ["run env", "run sh", "run cat", "read a"]),
        ("cat /dev/null", ["run cat"]),
        ("dd if=a of=/dev/sda", ["run dd", "read a", "write /dev/sda"]),
    ],
)  # fmt: skip
def test_effects_of_commands(command, expected, told):
    assert told(command) == expected


def test_a_recursive_delete_is_marked(tmp_path):
    effects = shell_effects("rm -rf build; rm a", str(tmp_path), Place.of(str(tmp_path)))
    cleared = [e.attributes["clear"] for e in effects if e.verb is Verb.DELETE]
    assert cleared == [True, False]


def test_giving_rights_away_is_privilege(tmp_path):
    for command in ("chmod 4755 x", "chmod u+s x", "chmod a+x,g+s x"):
        effects = shell_effects(command, str(tmp_path), Place.of(str(tmp_path)))
        assert effects[0].attributes["act"] == "privilege", command
    for command in ("chmod 755 x", "chmod +x x", "chmod -R a-s x"):
        effects = shell_effects(command, str(tmp_path), Place.of(str(tmp_path)))
        assert effects[0].attributes["act"] == "", command


def test_a_link_that_was_just_made_is_followed(told):
    assert "read /home/ana/.ssh/id_rsa" in told("ln -s ~/.ssh k && cat k/id_rsa")
    assert "delete /etc" in told("ln -s / r; rm -rf r/etc")


def test_copies_into_a_directory_name_the_files(told):
    (told.workspace / "hooks").mkdir()
    assert "write hooks/pre-commit" in told("cp /tmp/pre-commit hooks")


def test_scripts_of_the_workspace_are_followed(told):
    (told.workspace / "deploy.sh").write_text("curl -X DELETE https://h.example/x\n$THING\n")
    effects = told("bash deploy.sh")
    assert "http DELETE h.example/x" in effects
    assert "opaque" not in effects  # what cannot be told is the project's own


def test_a_script_outside_the_workspace_must_be_readable(told, tmp_path):
    (tmp_path / "s.sh").write_text("cat a\n")
    assert told(f"bash {tmp_path}/s.sh")[1:] == [f"read {tmp_path}/s.sh", "run cat", "read a"]
    assert "opaque" in told(f"bash {tmp_path}/missing.sh")


def test_recipes_of_a_makefile_are_followed(told):
    (told.workspace / "Makefile").write_text(
        "DIR = build\n\nall: test\n\t@echo done\n\ntest: clean\n\tpytest -q $(FLAGS)\n\n"
        "clean:\n\trm -rf $(DIR)\n"
    )
    assert told("make") == ["run make", "run echo", "run pytest", "run rm", "delete build"]
    assert told("make clean DIR=/srv") == ["run make", "run rm", "delete /srv"]
    assert told("make -n clean") == ["run make"]
    assert told("make missing") == ["run make"]


def test_recipes_of_a_justfile_are_followed(told):
    (told.workspace / "justfile").write_text(
        "test: (clean)\n    pytest {{args}}\n\nclean:\n    rm a\n"
    )
    assert told("just") == ["run just", "run pytest", "run rm", "delete a"]


TASKFILE = """\
version: '3'

vars:
  DIR: build  # where things go
  REV: {sh: git rev-parse HEAD}

tasks:
  default: {cmds: ['task: none', touch a]}
  build:
    desc: "Builds: everything"
    deps: [gen, {task: lint}]
    cmds:
      - mkdir -p {{.DIR}}
      - cmd: cp a {{.DIR}}/{{.OTHER}}
        silent: true
      - task: clean
  gen: touch gen
  lint:
    aliases: [check]
    dir: sub
    cmd: cat x
  clean:
    cmds:
    - |
      if true; then
        rm -rf {{.DIR}}
      fi
    - defer: rm tmp
  deploy:
    preconditions:
      - sh: test -f key
        msg: 'no key: stop'
    cmds:
      - curl -X DELETE https://h.example/items
"""


def test_tasks_of_a_taskfile_are_followed(told):
    (told.workspace / "Taskfile.yml").write_text(TASKFILE)
    (told.workspace / "sub").mkdir()
    built = told("task build")
    assert {"write build", "read a", "write gen", "read sub/x"} <= set(built)
    assert {"delete build", "delete tmp"} <= set(built)
    assert "run git" in built  # for a variable
    assert "delete /srv" in told("task clean DIR=/srv")
    assert "read sub/x" in told("go-task check")
    assert "http DELETE h.example/items" in told("task deploy -- --now")
    assert "write gen" in told("cd sub && task gen")  # which looks above for the file
    assert told("task -n build") == ["run task"]
    assert told("task missing") == ["run task"]
    assert "write a" in told("task")


@pytest.mark.parametrize(
    "text",
    [
        "tasks: &a\n  x: rm a\n",
        "tasks:\n  x: 'rm\n   a'\n",
        "tasks:\n  x: >\n    rm\n    a\n",
        "tasks: {\n  x: [rm a,\n  ls]}\n",
        'tasks:\n  x: "\\x72m a"  # rm\n',
        "%YAML 1.2\n---\ntasks:\n  ? x\n  : rm a\n",
    ],
)
def test_a_taskfile_is_read_as_task_reads_it(told, text):
    (told.workspace / "Taskfile.yml").write_text(text)
    assert "delete a" in told("task x")


@pytest.mark.parametrize(
    "text",
    [
        "tasks:\n\tx: rm a\n",
        "- x\n",
        "x: &a rm a\ntasks:\n  x: *a\n",
        "tasks:\n  x: {<<: {cmd: rm a}}\n",
        "tasks:\n  x: ls\n  x: rm a\n",
        "tasks:\n  x: rm a\n---\ntasks:\n  x: ls\n",
        "tasks:\n  [x]: rm a\n",
        "",
    ],
)
def test_a_taskfile_that_is_not_read_is_the_projects_own(told, text):
    (told.workspace / "Taskfile.yml").write_text(text)
    assert told("task x") == ["run task"]


def test_a_taskfile_that_is_nested_without_end_takes_no_time(told):
    (told.workspace / "Taskfile.yml").write_text("[" * 60_000)
    before = time.process_time()
    assert told("task x") == ["run task"]
    assert time.process_time() - before < 1


@pytest.mark.parametrize("count", [60, 0])
@pytest.mark.parametrize(
    ("name", "reference", "line", "end", "command"),
    [
        ("Makefile", "$({})", "{} = {}", "x:\n\trm $(A)\n", "make x"),
        (
            "Taskfile.yml", "{{{{.{}}}}}", "  {}: '{}'",
            "tasks:\n  x: rm {{.A}}\n", "task x",
        ),
    ],
)  # fmt: skip
def test_values_that_stand_for_endless_text_are_not_written_out(
    told, name, reference, line, end, command, count
):
    values = [
        line.format(one, reference.format(other) * 60 if other != "F" else "a" * count)
        for one, other in pairwise("ABCDEF")
    ]
    head = "vars:\n" if name == "Taskfile.yml" else ""
    (told.workspace / name).write_text(head + "\n".join(values) + "\n" + end)
    before = time.process_time()
    assert "opaque" in told(command)
    assert time.process_time() - before < 1


def test_without_a_taskfile_task_is_taskwarrior(told):
    assert told("task list") == ["run task"]
    assert "opaque" in told("task execute ls")


def test_a_glob_stands_for_its_matches_and_for_itself(told):
    (told.workspace / ".env").write_text("")
    assert told("cat .e*") == ["run cat", "read .e*", "read .env"]


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("Makefile", "a:\n\tmake a\n\tmake a\n\tmake a\n", "make"),
        ("Taskfile.yml", "tasks:\n  a:\n    deps: [a]\n    cmds: [task a, task a]\n", "task a"),
        ("x.sh", "bash x.sh\nbash x.sh\nbash x.sh a$1\n", "bash x.sh"),
        ("y.sh", "bash y.sh 1$1\nbash y.sh 2$1\nbash y.sh 3$1\n", "bash y.sh"),
        ("package.json", '{"scripts": {"a": "npm run a; npm run a; npm run a"}}', "npm run a"),
    ],
)
def test_texts_that_run_themselves_end(name, text, command, told):
    (told.workspace / name).write_text(text)
    assert len(told(command)) < 500


def test_commands_that_multiply_are_bounded(told):
    nested = "find a b c -exec " * 30 + "rm {} ';'"
    assert len(told(nested)) < 2000
    many = "find " + " ".join(f"d{index}" for index in range(100)) + " -exec rm {} ';'"
    assert told(many)[-1] == "opaque"


def test_a_patch_writes_the_files_that_it_names(told):
    diff = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/.git/hooks/pre-push\n"
    (told.workspace / "fix.diff").write_text(diff)
    expected = ["run patch", "read fix.diff", "write x.py", "write .git/hooks/pre-push"]
    assert told("patch -p1 -i fix.diff") == expected
    assert told(f"patch -p1 <<'EOF'\n{diff}EOF")[1:] == expected[2:]
    assert "opaque" in told("patch x.py <<'EOF'\n1d\n!id\nEOF")
