"""`taskpass completions SHELL` and `taskpass man`, both made from the commands' own parsers."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.metadata import version

from supervisor.cli.main import COMMANDS

_SHELLS = ("bash", "zsh", "tcsh")
_HOW = """\
bash: taskpass completions bash > ~/.local/share/bash-completion/completions/taskpass
zsh: taskpass completions zsh > a directory of $fpath, as _taskpass
tcsh: taskpass completions tcsh > ~/.taskpass.tcsh, and source that in ~/.tcshrc"""


def parser(command: str) -> argparse.ArgumentParser:
    if command == "man":
        return argparse.ArgumentParser(prog="taskpass man", description="The manual page, in roff.")
    made = argparse.ArgumentParser(
        prog="taskpass completions",
        description="What a shell needs to complete the command line.",
        epilog=_HOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("shell", choices=_SHELLS)
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if command == "completions":
        import shtab

        print(shtab.complete(everything(), options.shell))
        return 0
    from argparse_manpage.manpage import Manpage

    page = Manpage(everything(), format="single-commands-section")
    page.manual = "taskpass"
    sys.stdout.write(str(page))
    return 0


def everything() -> argparse.ArgumentParser:
    """The whole command line as one parser."""
    made = argparse.ArgumentParser(
        prog="taskpass",
        description="Coding agents under supervision: every tool call is identified, judged, "
        "recorded, and given its own short-lived credential. Without a command it opens the "
        "workspace.",
    )
    made.add_argument("--version", action="version", version=f"taskpass {version('taskpass')}")
    commands = made.add_subparsers(metavar="COMMAND")
    for name, (_, what, module) in COMMANDS.items():
        one = import_module(f"supervisor.cli.{module}").parser(name)
        commands.add_parser(
            name, help=what, description=one.description, parents=[one], add_help=False
        )
    return made
