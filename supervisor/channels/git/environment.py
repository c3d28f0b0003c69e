"""What a task's git is told: whom to ask for credentials, and where SSH remotes really lead. Pure.

By the environment (`GIT_CONFIG_COUNT`, git-config(1)), which comes after every file: helpers of
the person's own, which would hand out what is real, are cleared by an empty one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from supervisor.channels.git.protocol import SAY

HELPER, SSH_GUARD = "git-credential", "git-ssh"  # names of the scripts in the task's directory

_COUNT = "GIT_CONFIG_COUNT"


def variables(
    environ: Mapping[str, str], helper: str, ssh_guard: str, hosts: Iterable[str]
) -> dict[str, str]:
    """The variables to lay over `environ`, whose own settings of this kind are kept.

    Args:
        helper: path of the helper's script.
        ssh_guard: path of the program that stands in for ssh, "" to leave ssh as it is.
        hosts: where a credential is bound, as specs name them; SSH remotes of theirs lead to
            HTTPS.
    """
    settings = [
        ("credential.helper", ""),
        ("credential.helper", f"!{shlex.quote(helper)}"),
        # Without the path, one repository's answer would be good for all of a host.
        ("credential.useHttpPath", "true"),
    ]
    for host in hosts:
        if ":" in host:
            continue  # an SSH remote of that name is of another port, and so of another server
        written = (f"git@{host}:", f"ssh://git@{host}/", f"ssh://{host}/")
        settings += [(f"url.https://{host}/.insteadOf", each) for each in written]
    inherited = environ.get(_COUNT, "")
    first = int(inherited) if inherited.isascii() and inherited.isdigit() else 0
    numbered = {
        name: text
        for number, (key, value) in enumerate(settings, first)
        for name, text in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", value))
    }
    # No prompt: whoever would answer it is not at this terminal.
    made = {_COUNT: str(first + len(settings)), **numbered, "GIT_TERMINAL_PROMPT": "0"}
    if ssh_guard:
        # The variant: or git runs it once more, to learn how it takes its arguments.
        made |= {"GIT_SSH_COMMAND": shlex.quote(ssh_guard), "GIT_SSH_VARIANT": "ssh"}
    return made


_UNREACHED = (
    "taskpass: no credential, because the supervisor cannot be reached; "
    "run git in the foreground of a tool call."
)


def helper_script(port: int) -> str:
    """A credential helper (bash): asks at `port` of the loopback; `store`, `erase` do nothing."""
    return (
        "#!/bin/bash\n"
        '[ "$1" = get ] || { cat > /dev/null; exit 0; }\n'
        f"if ! {{ exec 9<>/dev/tcp/127.0.0.1/{port}; }} 2>/dev/null; then\n"
        f"  echo {shlex.quote(_UNREACHED)} >&2; echo quit=1; exit 0\n"
        "fi\n"
        # Whoever refuses does not read on: what is then written must not end this script, which
        # has the refusal still to tell.
        "trap '' PIPE\n"
        "{ cat; printf '\\n\\n'; } 2>/dev/null >&9\n"
        "while IFS= read -r line <&9; do\n"
        '  case "$line" in\n'
        f'    "{SAY}"*) printf "%s\\n" "${{line#{SAY}}}" >&2;;\n'
        '    *) printf "%s\\n" "$line";;\n'
        "  esac\n"
        "done\n"
    )


_NO_SSH = (
    "taskpass: git over SSH is refused: no SSH key is lent to this task. Use the HTTPS address "
    "of the repository; with a credential for its host (taskpass credential add), SSH addresses "
    "lead there by themselves."
)


def ssh_guard_script() -> str:
    """What git runs in the place of ssh."""
    return f"#!/bin/sh\necho {shlex.quote(_NO_SSH)} >&2\nexit 128\n"
