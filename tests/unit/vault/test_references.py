"""References to other vaults: what they name, what looks them up, and what may come of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from supervisor.errors import IssuerFailed, UsageError
from supervisor.model import CredentialSpec
from supervisor.vault import references
from supervisor.vault.lookup import look_up
from tests.support.live import ended, wait_for

TOKEN = "gho_abcdEFGH1234567890abcdEFGH1234567890"


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("cmd://gh auth token", ("gh", "auth", "token")),
        ("cmd://pass show 'two words'", ("pass", "show", "two words")),
        ("cmd://sh -c $(id)", ("sh", "-c", "$(id)")),  # no shell reads it
        ("op://dev/github/token", ("op", "read", "--no-newline", "op://dev/github/token")),
        (
            "op://dev/git hub/api/token",
            ("op", "read", "--no-newline", "op://dev/git hub/api/token"),
        ),
        ("vault://kv/ci/gh#token", ("vault", "kv", "get", "-mount=kv", "-field=token", "ci/gh")),
    ],
)
def test_a_reference_names_the_command_that_looks_it_up(text: str, argv: tuple[str, ...]) -> None:
    assert references.parse(text).argv == argv


@pytest.mark.parametrize(
    "text",
    [
        "", "ghp_secret", "cmd://", "cmd://''", "cmd://'open", "op://vault", "op://a/b", "env://",
        "env://A-B", "env://A=B", "vault://kv", "vault://kv/x", "vault://kv/#f", "vault:///x#f",
        "vault://kv/-output-curl-string#f", "https://a/b/c", "cmd://a\nb", "cmd://a\0b",
        "cmd://" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_with_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        references.parse(text)
    assert "cmd://" in refusal.value.hint


def test_the_program_is_found_once_by_the_persons_path(tmp_path: Path) -> None:
    bao = program(tmp_path, "bao", "")
    environ = {
        "PATH": str(tmp_path), "VAULT_ADDR": "https://v.test", "VAULT_TOKEN": "hvs.secret",
        "HTTPS_PROXY": "http://ana:hunter2@proxy.test:3128",
    }  # fmt: skip
    options = references.options_for("vault://kv/ci#token", environ)
    assert options == {
        "from": "vault://kv/ci#token", "program": str(bao), "env.VAULT_ADDR": "https://v.test",
    }  # fmt: skip
    spec = CredentialSpec("x", "reference", ("a.test",), options=options)
    argv, told = references.command_of(spec)
    assert argv[:3] == (str(bao), "kv", "get")
    assert told == {"VAULT_ADDR": "https://v.test"}  # and not the person's token
    with pytest.raises(UsageError, match="no program gh here"):
        references.options_for("cmd://gh auth token", environ)


def test_a_spec_cannot_tell_the_program_what_it_likes() -> None:
    options = {"from": "cmd://x", "program": "/bin/x", "env.LD_PRELOAD": "/evil.so"}
    spec = CredentialSpec("x", "reference", ("a.test",), options=options)
    assert references.command_of(spec) == (("/bin/x",), {})
    for wrong in ({"from": "cmd://x", "program": "x"}, {"from": "env://X"}, {}):
        with pytest.raises(UsageError):
            references.command_of(CredentialSpec("x", "reference", ("a.test",), options=wrong))


@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n"])
async def test_one_line_is_the_secret(tmp_path: Path, end: str) -> None:
    path = program(tmp_path, "gh", f"print('{TOKEN}', end='{end}')")
    assert (await look_up([str(path)], {})).value == TOKEN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"print('{TOKEN}'); raise SystemExit(4)", "ended with 4"),
        (f"import os; print('{TOKEN}', flush=True); os.kill(os.getpid(), 9)", "ended with -9"),
        (f"print('{TOKEN}\\n{TOKEN}')", "more than one line"),
        ("print('short')", "5 characters"),
        ("", "0 characters"),
        (f"print('{TOKEN}' * 300)", "12000 characters"),
        (f"print('{TOKEN}' * 3000)", "far more"),
        (f"print('{TOKEN}\\x00')", "no header"),
        (f"print('{TOKEN} with spaces')", "no header"),
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 40)", "no header"),
    ],
)
async def test_anything_else_is_one_sentence_without_what_was_printed(
    tmp_path: Path, text: str, says: str
) -> None:
    path = program(tmp_path, "gh", text)
    with pytest.raises(IssuerFailed) as failure:
        await look_up([str(path), "auth", "token"], {})
    assert says in failure.value.message
    assert "`gh auth token`" in failure.value.message
    assert TOKEN[:8] not in str(failure.value)


async def test_a_program_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(IssuerFailed, match="`gh` cannot be run: No such file"):
        await look_up([str(tmp_path / "gh")], {})


async def test_who_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    path = program(
        tmp_path,
        "gh",
        "import os, time\n"
        "child = os.fork()\n"
        f"if child: open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        "time.sleep(600)",
    )
    with pytest.raises(IssuerFailed, match="did not end within 1 s"):
        await look_up([str(path)], {}, patience=1.0)
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: ended(pid), "it to end")


async def test_it_sees_nothing_of_our_environment_but_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    path = program(
        tmp_path,
        "gh",
        f"import os; open({str(seen)!r}, 'w').write(repr((sorted(os.environ), os.getcwd(), "
        f"os.isatty(0), os.read(0, 1)))); print('{TOKEN}')",
    )
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    monkeypatch.setenv("TASKPASS_TASK", "t-1")
    await look_up([str(path)], {"GH_CONFIG_DIR": "/home/ana/gh"})
    names, cwd, terminal, typed = eval(seen.read_text())
    assert "GH_CONFIG_DIR" in names
    assert set(names) <= {"GH_CONFIG_DIR", "LC_CTYPE", *os.environ} - {
        "AWS_SECRET_ACCESS_KEY", "TASKPASS_TASK",
    }  # fmt: skip
    assert (cwd, terminal, typed) == ("/", False, b"")
