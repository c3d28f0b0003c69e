"""The command line as a whole: every command is found, completed and in the manual."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from supervisor.cli.main import COMMANDS, main, usage


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_parser_of_its_name(name: str) -> None:
    module = import_module(f"supervisor.cli.{COMMANDS[name][2]}")
    made = module.parser(name)
    assert made.prog == f"taskpass {name}"
    assert made.description


def test_usage_fits_a_terminal_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert told == usage()
    assert all(f"  taskpass {name} " in told for name in COMMANDS)
    assert max(map(len, told.splitlines())) <= 96


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("appr",), ["approvals"]),
        (("approvals", "d"), ["deny"]),
        (("credential", "ro"), ["rotate"]),
        (("revoke", "--a"), ["--all"]),
        (("completions", "z"), ["zsh"]),
    ],
)
def test_bash_completes(
    typed: tuple[str, ...],
    offered: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["completions", "bash"]) == 0
    script = tmp_path / "taskpass"
    script.write_text(capsys.readouterr().out)
    words = " ".join(("taskpass", *typed))
    done = subprocess.run(
        ["bash", "-c", f". {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; "
         '_shtab_taskpass; printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [word.strip() for word in done.stdout.split()] == offered


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completions", shell]) == 0
    told = capsys.readouterr().out
    assert "approvals" in told
    assert "revoke" in told


def test_the_manual_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["man"]) == 0
    page = capsys.readouterr().out
    assert page.startswith('.TH TASKPASS "1"')
    assert all(rf"\fBtaskpass {name}\fR" in page for name in COMMANDS)
    assert "/root" not in page
