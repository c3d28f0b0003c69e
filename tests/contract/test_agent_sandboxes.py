"""Whether a sandbox of an agent's own starts inside ours: why the profiles switch theirs off."""

from __future__ import annotations

import pytest

from tests.support.accounts import Drive

pytest_plugins = ("tests.support.task_fixtures",)

NESTED = "bwrap --unshare-user --unshare-net --ro-bind / / true"


@pytest.mark.parametrize("command", [NESTED, "unshare --user true", "unshare --net true"])
@pytest.mark.parametrize("tier", ["A", "B"])
def test_a_sandbox_of_namespaces_does_not_start_inside_ours(
    drive: Drive, bwrap: str, tier: str, command: str
) -> None:
    command = command.replace("bwrap", bwrap, 1)
    argv = ["/bin/sh", "-c", f"{command} && echo nested || echo refused"]
    assert drive("run", argv=argv, tier=tier)["output"].split()[-1] == "refused"


def test_outside_the_same_sandbox_starts(drive: Drive, bwrap: str) -> None:
    argv = ["/bin/sh", "-c", f"{NESTED.replace('bwrap', bwrap, 1)} && echo nested"]
    assert drive("run", argv=argv, tier="uncontained")["output"].split()[-1] == "nested"
