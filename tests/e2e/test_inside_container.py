"""The whole of it inside a container: root, no namespaces to be had, no CAP_SYS_ADMIN."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.container_root import in_container
from tests.support.live import TASKPASS, ApiServer, Install

pytestmark = pytest.mark.root
_PROJECT = Path(__file__).parents[2]


def inside(install: Install, *commands: str) -> str:
    """What these commands of one shell print, in one container."""
    taskpass = f'taskpass() {{ {shlex.join(TASKPASS)} "$@"; }}'
    done = in_container(
        ["sh", "-c", "\n".join([taskpass, *commands])],
        environ=install.environ,
        cwd=install.project,
    )
    return done.stdout + done.stderr


def test_a_task_runs_contained_as_far_as_the_container_lets_it(
    install: Install, api: ApiServer
) -> None:
    """`api` began a supervisor outside, which the one inside takes over from."""
    install.cli("stop")
    ask = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me'
    past = f"curl -sS -m 5 --noproxy '*' -k https://127.0.0.1:{api.port}/past"
    state = install.home / ".local/state/taskpass"
    agent = f"{ask}; {past}; cat {state}/token.key; echo left; exit 7"
    printed = inside(
        install,
        "unshare --user true && echo NAMESPACES",
        f"taskpass run --headless --purpose tried -- sh -c {shlex.quote(agent)}",
        "echo code $?",
        "taskpass exec -- sh -c 'echo in exec; env'",
        "taskpass stop",
    )
    assert "NAMESPACES" not in printed
    assert '{"hello": "ana"}' in printed
    assert "code 7" in printed
    assert "in exec" in printed
    assert api.token not in printed
    assert api.seen == [("GET /me", f"Bearer {api.token}", "ok")]
    assert "token.key: Permission denied" in printed
    started = install.records("task.started")
    assert [(one["runtime"], one["tier"]) for one in started] == [("container", "B")] * 2
    assert "not A: " in started[0]["tier_detail"]
    assert [one["port"] for one in install.records("egress.refused")] == [api.port]


# What some of these tests need themselves, and such a root has not: namespaces of their own,
# servers in the task (pidfd_getfd(2)), CAP_NET_ADMIN, CAP_SYS_PTRACE.
_NOT_THERE = (
    "test_the_attempts_are_real", "test_servers_of_the_task_serve_the_task",
    "test_a_connected_socket_is_as_its_program_made_it",
    "test_nobody_but_the_task_gets_anything_at_its_proxy", "unprivileged",
)  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize(
    "tests",
    [
        "test_tier_b.py",
        "test_tier_b_live.py",
        "test_attack_matrix.py::test_a_real_supervisor_is_out_of_reach_of_root[B]",
    ],
)
def test_attacks_fail_there_as_in_its_tier(tests: str) -> None:
    """The tests of tier B themselves, as root of a container."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    words += [f"tests/adversarial/{tests}", "-k", f"not ({' or '.join(_NOT_THERE)})"]
    done = in_container(words, environ=os.environ, cwd=_PROJECT, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
