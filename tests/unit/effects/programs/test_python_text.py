"""Python given on the command line: what can be told of it, and what is said not to be."""

from __future__ import annotations

import pytest

from supervisor.effects.files import Place
from supervisor.effects.knowledge.check import written
from supervisor.effects.shell import shell_effects
from supervisor.model import Verb


def read(text: str, tmp_path, *arguments: str):
    """(effects besides the run itself, whether it can be told)."""
    quoted = text.replace("'", "'\\''")
    command = " ".join([f"python3 -c '{quoted}'", *arguments])
    first, *others = shell_effects(command, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
    assert first.verb is Verb.RUN
    told = [written(effect).replace(str(tmp_path) + "/", "") for effect in others]
    return told, not first.attributes["uninspectable"]


@pytest.mark.parametrize(
    "text",
    [
        "print(round(1.005 * 100) / 100)",
        "import sys, json; print(json.load(sys.stdin)['a'])",
        "import sys, csv, io; print(list(csv.reader(io.TextIOWrapper(sys.stdin.buffer, 'utf-8'))))",
        "from decimal import Decimal as D; print([D(x) for x in ('1', '2')])",
        "import re\nfor line in ['a']:\n    print(re.sub('a', 'b', line.strip()))",
        "import datetime; print(datetime.datetime.now().isoformat())",
        "import numpy; print(numpy.__version__)",
        "import os; print(os.path.join('a', 'b'), os.environ.get('HOME'))",
        "print(f'{1 + 1:>10}'.upper())",
        "import base64; print(base64.b64decode('YQ==').decode())",
    ],
)
def test_what_only_computes_has_no_effects(text, tmp_path):
    assert read(text, tmp_path) == ([], True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("print(open('a').read())", ["read a"]),
        ("open('a', 'w').write('x')", ["write a"]),
        ("open('a', mode='r+')", ["read a", "write a"]),
        ("from pathlib import Path; Path('a').write_text('x')", ["write a"]),
        ("from pathlib import Path; print((Path('d') / 'a').read_text())", ["read d/a"]),
        ("from pathlib import Path; Path.home().joinpath('.x').unlink()", ["delete /home/ana/.x"]),
        ("import os; os.remove('/etc/passwd')", ["delete /etc/passwd"]),
        ("import shutil as s; s.rmtree('/srv')", ["delete /srv"]),
        ("import shutil; shutil.move('a', 'b')", ["read a", "delete a", "write b"]),
        ("import os; os.system('cat a')", ["run cat", "read a"]),
        ("from subprocess import run; run(['cat', 'a'])", ["run cat", "read a"]),
        ("import subprocess; subprocess.run('cat a', shell=True)", ["run cat", "read a"]),
        ("import requests; requests.post('https://h.example/x')", ["http POST h.example/x"]),
        ("p = 'a'; print(open(p).read())", ["read a"]),
        ("import json; print(json.load(open('a'))['x'])", ["read a"]),
    ],
)
def test_effects_of_what_is_written_out(text, told, tmp_path):
    assert read(text, tmp_path) == (told, True)


@pytest.mark.parametrize(
    "text",
    [
        "eval(input())",
        "exec('import os')",
        "__import__('o' + 's').system('id')",
        "import json, os; json = os; json.system('id')",
        "import os; [os][0].remove('x')",
        "from os import system as s; list(map(s, ['id']))",
        "import json; json.codecs.open('x', 'w')",
        "().__class__.__bases__[0].__subclasses__()",
        "getattr(1, 'x')",
        "import inspect; inspect.stack()[0].frame.f_globals['x']",
        "import sys; sys.modules['os'].system('id')",
        "import sys; sys.path.insert(0, '/tmp/e'); import thing",
        "import os; os.execv('/bin/sh', ['sh'])",
        "import socket; socket.socket()",
        "import sys; open(sys.argv[9])",
        "f = open; f('x', 'w')",
        "import timeit; timeit.timeit('x')",
        "import operator; operator.attrgetter('__class__')(1)",
        "import typing; typing.get_type_hints(print)",
        "class A: pass",
        "import pickle; pickle.loads(b'')",
        "import ctypes; ctypes.CDLL(None)",
        "import unknown_thing; unknown_thing.run()",
        "from x import *",
        "def f(: pass",
        "import pathlib; pathlib.os.system('id')",
        "open('a', 'r' + 'w')",
        "@print\ndef f(): pass",
    ],
)
def test_what_may_do_anything_is_not_inspectable(text, tmp_path):
    assert read(text, tmp_path)[1] is False


def test_arguments_are_followed(tmp_path):
    text = "import sys; print(open(sys.argv[1]).read())"
    assert read(text, tmp_path, ".env") == (["read .env"], True)


def test_files_of_a_loop_lie_below_its_directory(tmp_path):
    text = "import pathlib\nfor p in pathlib.Path('src').rglob('*.py'):\n    print(p.read_text())"
    told, inspectable = read(text, tmp_path)
    assert inspectable
    assert set(told) == {"read src", "read src/*"}


def test_code_of_the_workspace_is_the_projects(tmp_path):
    (tmp_path / "shop.py").write_text("x = 1\n")
    command = "python3 -c 'import shop; shop.main()'"
    (run,) = shell_effects(command, str(tmp_path), Place.of(str(tmp_path)))
    assert run.attributes["act"] == "project"
    assert run.attributes["uninspectable"] is False


def test_a_module_of_the_workspace_hides_one_of_the_language(tmp_path):
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("")
    command = "python3 -m json.tool a.json"
    run, *_ = shell_effects(command, str(tmp_path), Place.of(str(tmp_path)))
    assert run.attributes["act"] == "project"


def test_permissions_that_give_rights_away_cannot_be_read_beforehand(tmp_path):
    assert read("import os; os.chmod('a', 0o755)", tmp_path) == (["write a"], True)
    assert read("import os; os.chmod('a', 0o4755)", tmp_path) == (["write a"], False)
