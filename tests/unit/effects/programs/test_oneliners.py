"""One-liners in other languages: only those that clearly compute are inspectable."""

from __future__ import annotations

import pytest

from supervisor.effects.files import Place
from supervisor.effects.knowledge.check import written
from supervisor.effects.shell import shell_effects


def inspectable(command: str, tmp_path) -> bool:
    effects = shell_effects(command, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
    return not effects[0].attributes["why"]


@pytest.mark.parametrize(
    "command",
    [
        "perl -pe 's/a/b/g; tr/a-z/A-Z/' x",
        "perl -lane 'print $F[0] if $F[1] > 3' x",
        "perl -ne 'print \"$ARGV:$.: $_\" if /it\\.only/; close ARGV if eof' x",
        "perl -0pe 's{a}{b}gs' x",
        "node -p 'process.version'",
        "node -e 'console.log(JSON.parse(require(\"fs\").readFileSync(0)).a.length)'",
        "node -e 'const p = require(\"./package.json\"); console.log(Object.keys(p.scripts))'",
        "ruby -e 'puts 1 + 2'",
        "php -r 'echo PHP_VERSION;'",
        "lua -e 'print(1 + 2)'",
    ],
)
def test_what_only_computes(command, tmp_path):
    assert inspectable(command, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "perl -e 'print `id`'",
        "perl -pe 's/a/system(q(id))/e' x",
        "perl -ne 'print \"@{[ system(q(id)) ]}\"' x",
        "perl -ne '/(?{ system(q(id)) })/' x",
        "perl -e 'open(F, \"|id\")'",
        "perl -ne 'print' 'id|'",
        "perl -e '&$x()'",
        "perl -e '$x->y'",
        "perl -Mevil -e 1",
        "perl -e 'print <~/.ssh/*>'",
        "perl -e 'do \"x.pl\"'",
        "node -e 'require(\"child_process\")'",
        "node -e 'child_process.execSync(\"id\")'",
        'node -e \'[]["filter"]["const" + "ructor"]("x")()\'',
        "node -e 'process.binding(\"x\")'",
        "node -e 'const p = process; p.mainModule'",
        "node -e 'import(\"fs\")'",
        'node -e \'require("fs").writeFileSync("x", "y")\'',
        "node -e '`${require(\"child_process\")}`'",
        "node -e 'Object.getPrototypeOf(x)'",
        "ruby -e '`id`'",
        "ruby -e 'puts %x(id)'",
        "ruby -e 'puts \"#{`id`}\"'",
        "ruby -e 'open(\"|id\")'",
        'php -r \'$f = "system"; $f("id");\'',
        "php -r '`id`;'",
        "lua -e 'os.execute(\"id\")'",
        "lua -e 'io.open(\"x\")'",
    ],
)
def test_what_may_do_more(command, tmp_path):
    assert not inspectable(command, tmp_path)


def test_files_that_are_read_are_said(tmp_path):
    command = 'node -e \'console.log(require("fs").readFileSync(".env", "utf8"))\''
    _, read = shell_effects(command, str(tmp_path), Place.of(str(tmp_path)))
    assert written(read) == f"read {tmp_path}/.env"
