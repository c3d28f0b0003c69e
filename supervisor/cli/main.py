"""`taskpass`: the parser, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys

USAGE = """\
usage: taskpass [command] [options]

  taskpass                     open the workspace: all running tasks, their grants, approvals
  taskpass run -- AGENT …      run an agent (or any program) as a task, in this terminal
  taskpass demo                see the whole idea in a minute, without an account or a network

  taskpass ps                  running and recent tasks
  taskpass attach TASK         show a running task in this terminal
  taskpass logs TASK           what a task's terminal shows, and what has scrolled off
  taskpass wait TASK           until it has ended, or `--until waiting-approval`
  taskpass approvals …         list, approve or deny what waits for a person
  taskpass revoke TASK|--all   take a task's access away, now
  taskpass freeze TASK         stop a task until `taskpass resume TASK`
  taskpass history [TASK]      what was asked, allowed, denied, used, revoked
  taskpass changes [TASK]      what a task changed in its overlay; apply it or drop it
  taskpass verify              check that the history has not been altered
  taskpass credential …        add, list, test, rotate, remove what tasks may be lent
  taskpass unlock              give the passphrase that secrets are locked by
  taskpass import FILE         move the secrets of a .env into the vault; it keeps stand-ins
  taskpass policy …            check, explain, try, back-test and import rules
  taskpass signin …            say who you are, by your company's OpenID provider; signout
  taskpass doctor              what holds on this machine, and what does not
  taskpass setup               which log-ins lie about here; lend those you choose
  taskpass needs               what this project says its tasks need; accept it once
  taskpass undo [ID]           put back what taskpass changed for you; --list shows it
  taskpass uninstall           end everything, put everything back, remove taskpass's files
  taskpass stop                end the supervisor

`taskpass COMMAND --help` tells more.
"""

# command → module of this package and what it is for; imported when called
_COMMANDS = {
    "run": "run",
    "setup": "first_run",
    "needs": "needs",
    "undo": "undo",
    "uninstall": "uninstall",
    "demo": "demo",
    "ps": "ps",
    "wait": "ps",
    "attach": "attach",
    "logs": "attach",
    "approvals": "approvals",
    "revoke": "control",
    "freeze": "control",
    "resume": "control",
    "history": "history",
    "verify": "history",
    "changes": "changes",
    "credential": "credential",
    "import": "importing",
    "policy": "policy",
    "unlock": "unlock",
    "signin": "signin",
    "signout": "signin",
    "doctor": "doctor",
    "stop": "control",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(USAGE, end="")
        return 0
    if words[:1] == ["--version"]:
        from importlib.metadata import version

        print(f"taskpass {version('taskpass')}")
        return 0
    command = words[0] if words else "workspace"
    if command not in _COMMANDS and command != "workspace":
        print(f"taskpass: there is no command {command!r}. See `taskpass --help`.", file=sys.stderr)
        return 2
    from importlib import import_module

    try:
        module = import_module(f"supervisor.cli.{_COMMANDS.get(command, 'workspace')}")
        return int(module.main(command, words[1:]))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        sys.stderr.close()
        return 141
    except Exception as error:
        return _fail(error)


def _fail(error: Exception) -> int:
    from supervisor.errors import TaskpassError

    if isinstance(error, TaskpassError):
        print(f"taskpass: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, OSError):
        print(f"taskpass: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return 1
    raise error


if __name__ == "__main__":
    sys.exit(main())
