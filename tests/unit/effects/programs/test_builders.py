"""Compilers, builders, debuggers and queries: what loads code is told from what does not."""

from __future__ import annotations

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Verb


@pytest.fixture
def effects(tmp_path):
    workspace = tmp_path / "w"
    workspace.mkdir()

    def found(command: str):
        return shell_effects(command, str(workspace), Place.of(str(workspace), str(tmp_path)))

    return found


def opaque(effects):
    return any(e.verb is Verb.RUN and e.attributes["uninspectable"] for e in effects)


@pytest.mark.parametrize(
    "command",
    [
        "gcc -Wall -Wextra -O2 -g -std=c17 -Iinc -DX=1 -o a a.c -lm -pthread",
        "clang++ -fsanitize=address,undefined -fno-omit-frame-pointer -c a.cpp",
        "gcc -shared -fPIC -Wl,-soname,liba.so.1 -Wl,-z,relro,-z,now a.o",
        "gcc -MMD -MP -MF a.d -c a.c",
        "ar rcs liba.a a.o",
        "go build -ldflags '-s -w -extldflags \"-static\"' ./...",
        "rustc -C opt-level=3 -C target-cpu=native a.rs",
        "gdb -batch -ex 'b main' -ex run -ex 'bt full' --args target/a -g x",
        "make -j4 test V=1",
        "java -Xmx2g -XX:+UseG1GC -Dfile.encoding=UTF-8 -jar target/a.jar --x",
        "mvn -q -DskipTests -pl core -am package",
        "cargo test --workspace -- --nocapture",
        "jq --arg a b -r '.include[] | .a' x.json",
        "yq -i '.a = 1' x.yaml",
    ],
)
def test_ordinary_forms_are_inspectable(effects, command):
    assert not opaque(effects(command))


@pytest.mark.parametrize(
    "command",
    [
        "gcc -fplugin=./p.so a.c",
        "gcc -wrapper sh,-c a.c",
        "gcc -B. a.c",
        "gcc -specs=s a.c",
        "clang -Xclang -load -Xclang ./p.so a.c",
        "clang --config=x a.c",
        "gcc -Wl,-plugin,./p.so a.c",
        "gcc -fuse-ld=/tmp/x a.c",
        "gcc @options",
        "gcc $FLAGS a.c",
        "ld -plugin p.so a.o",
        "go build -ldflags '-extld=./x' ./...",
        "rustc -C linker=./x a.rs",
        "cargo --config 'build.rustc-wrapper=\"x\"' build",
        "make --eval='x:;id'",
        "make SHELL=./x",
        "make -f /tmp/x.mk",
        "echo 'x:;id' | make -f -",
        "gdb -batch -ex 'shell id'",
        "gdb -batch -ex '!id' a",
        "gdb -batch -ex 'p system(1)' a",
        "gdb -x s.gdb a",
        "lldb -b -o 'platform shell id' a",
        "java -javaagent:/tmp/x.jar -jar a.jar",
        "java -jar /tmp/x.jar",
        "java -XX:OnError=id -jar a.jar",
        "mvn -s /tmp/s.xml package",
        "gradle -I /tmp/x.gradle build",
        "cmake -E cat /etc/passwd",
        "rustdoc --runtool x a.rs",
        "ccache -o compiler=x",
        "jq 'import \"a\" as a; .' x",
        "yq 'load(\"/etc/passwd\")' x.yaml",
        "rg --hostname-bin x y",
        "bat --paging=always x",
        "fzf --bind 'enter:execute(id)'",
        "mlr -n put 'end { print system(\"id\") }'",
        "Rscript -e 'system(1)'",
        "claude -p hello",
    ],
)
def test_forms_that_load_or_run_code_are_not(effects, command):
    assert opaque(effects(command))


def test_attaching_to_a_process_is_debugging(effects):
    for command in ("gdb -p 12", "lldb -p 12"):
        assert effects(command)[0].attributes["act"] == "debug"


@pytest.mark.parametrize(
    ("command", "verb", "path"),
    [
        ("gcc -x c -E /etc/hosts", Verb.READ, "/etc/hosts"),
        ("gcc a.c -o /etc/x", Verb.WRITE, "/etc/x"),
        ("gcc a.c -o/etc/x", Verb.WRITE, "/etc/x"),
        ("ar t /etc/x", Verb.READ, "/etc/x"),
        ("jar cf /etc/x a", Verb.WRITE, "/etc/x"),
        ("jq . /etc/x", Verb.READ, "/etc/x"),
        ("jq --slurpfile a /etc/x .", Verb.READ, "/etc/x"),
        ("yq -i .a=1 /etc/x", Verb.WRITE, "/etc/x"),
        ("dot -Tpng -o/etc/x a.dot", Verb.WRITE, "/etc/x"),
        ("rg -f /etc/x src", Verb.READ, "/etc/x"),
        ("rg word /etc/x", Verb.READ, "/etc/x"),
        ("go test -coverprofile=/etc/x ./...", Verb.WRITE, "/etc/x"),
        ("javac -d /etc/x A.java", Verb.WRITE, "/etc/x"),
    ],
)
def test_files_are_named(effects, command, verb, path):
    assert path in [effect.resource for effect in effects(command) if effect.verb is verb]


@pytest.mark.parametrize(
    ("command", "degree"),
    [
        ("gh api repos/o/r", "read"),
        ("gh api -XDELETE repos/o/r", "destroy"),
        ("gh api --method=PATCH repos/o/r", "change"),
        ("gh api repos/o/r/pulls/3/merge -X PUT", "publish"),
        ("gh api repos/o/r/issues -f title=x", "post"),
        ("gh api graphql -f query='{ viewer { login } }'", "read"),
        ("gh api graphql -f query='mutation { x }'", "change"),
        ("gh api graphql -F query=@q.graphql", "change"),
        ("gh api graphql --input q.json", "change"),
        ("gh pr list", "read"),
        ("gh pr create -f", "post"),
        ("gh repo delete o/r", "destroy"),
        ("glab api projects/1 -X DELETE", "destroy"),
    ],
)
def test_what_is_asked_of_a_forge_has_its_degree(effects, command, degree):
    (operation,) = [effect for effect in effects(command) if effect.verb is Verb.OPERATE]
    assert operation.attributes["degree"] == degree
