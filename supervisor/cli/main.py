"""`taskpass`: the parser, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys

# command → its words, what it is for, and the module of this package that is imported when it is
# called; in groups, as the usage shows them
_GROUPS = (
    {
        "run": ("-- AGENT …", "run an agent (or any program) as a task, in this terminal", "run"),
        "exec": ("-- AGENT …", "the same in a CI job, where nobody is asked", "exec"),
        "sandbox": ("", "a task for an agent in a container or sandbox elsewhere", "sandbox"),
        "call": ("-- COMMAND", "run one command with what a running task may", "call"),
        "demo": ("", "see the whole idea in a minute, without an account or a network", "demo"),
        "setup": ("", "which log-ins lie about here; lend those you choose", "first_run"),
    },
    {
        "ps": ("", "running and recent tasks", "ps"),
        "attach": ("TASK", "show a running task in this terminal", "attach"),
        "logs": ("TASK", "what a task's terminal shows, and what has scrolled off", "attach"),
        "wait": ("TASK", "until it has ended, or `--until waiting-approval`", "ps"),
        "approvals": ("…", "list, approve or deny what waits for a person", "approvals"),
        "revoke": ("TASK|--all", "take a task's access away, now", "control"),
        "freeze": ("TASK|--all", "stop a task's processes until it is resumed", "control"),
        "resume": ("TASK", "let a frozen task go on", "control"),
        "changes": ("[TASK]", "what a task changed in its overlay; apply it or drop it", "changes"),
    },
    {
        "history": ("[FILTER]", "what was asked, allowed, denied, used, revoked", "history"),
        "verify": (
            "[FILE]",
            "check that the history (or an export) was not altered",
            "history",
        ),
        "recording": (
            "[TASK]",
            "what terminals showed, where it was kept; write or remove it",
            "recording",
        ),
        "credential": ("…", "add, list, test, rotate, remove what tasks may be lent", "credential"),
        "import": ("FILE", "move a .env's secrets to the vault; it keeps stand-ins", "importing"),
        "unlock": ("", "give the passphrase that secrets are locked by", "unlock"),
        "signin": ("…", "say who you are, by your company's OpenID provider", "signin"),
        "signout": ("", "be the account of this machine again", "signin"),
        "policy": ("…", "check, explain, try, back-test and import rules", "policy"),
        "mcp": ("…", "MCP servers behind a gateway: list, serve, pinned tools", "mcp"),
        "needs": ("", "what this project says its tasks need; accept it once", "needs"),
    },
    {
        "doctor": ("", "what holds on this machine, and what does not", "doctor"),
        "agents": ("[NAME]", "what is seen of each agent, and how sure that is", "agents"),
        "stop": ("", "end the supervisor", "control"),
        "undo": ("[ID]", "put back what taskpass changed for you; --list shows it", "undo"),
        "uninstall": ("", "end everything, put everything back, remove our files", "uninstall"),
        "completions": ("SHELL", "completions for bash, zsh or tcsh", "completions"),
        "man": ("", "the manual page: taskpass man | man -l -", "completions"),
    },
)
COMMANDS = {name: entry for group in _GROUPS for name, entry in group.items()}


def usage() -> str:
    """What `taskpass --help` prints."""
    lines = ["usage: taskpass [command] [options]", ""]
    lines.append(_line("", "open the workspace: all running tasks, their grants, approvals"))
    for group in _GROUPS:
        lines += [_line(f"{name} {words}", what) for name, (words, what, _) in group.items()]
        lines.append("")
    return "\n".join([*lines, "`taskpass COMMAND --help` tells more.", ""])


def _line(call: str, what: str) -> str:
    return f"  taskpass {call.strip():<19} {what}"


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(usage(), end="")
        return 0
    if words[:1] == ["--version"]:
        from importlib.metadata import version

        print(f"taskpass {version('taskpass')}")
        return 0
    command = words[0] if words else "workspace"
    if words and command not in COMMANDS:
        print(f"taskpass: there is no command {command!r}. See `taskpass --help`.", file=sys.stderr)
        return 2
    from importlib import import_module

    try:
        name = COMMANDS[command][2] if words else "workspace"
        module = import_module(f"supervisor.cli.{name}")
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
