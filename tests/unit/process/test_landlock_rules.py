"""What tier B opens of a plan: whole directories where it may, entry by entry around what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.ports import Containment, Mount, SpawnRequest
from supervisor.process.containment import within
from supervisor.process.landlock import Access, Rule
from supervisor.process.landlock_rules import file_rules, not_held, search_path


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    for name in ("src/a.py", ".git/config", ".git/hooks/x", ".git/objects/o", ".env", "sub/.env"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return root


def rules_of(plan: Containment, task_dir: str = "/nowhere/task", terminal: str = "") -> list[Rule]:
    request = SpawnRequest(
        task="t-rules",
        argv=("/bin/true",),
        env={},
        cwd=plan.workspace,
        containment=plan,
        task_dir=task_dir,
        tier="B",
        bwrap="",
        listeners=(),
        ports=(),
        pty=False,
    )
    return file_rules(request, terminal)


def opens(rules: list[Rule], path: Path | str, access: Access) -> bool:
    """Whether some rule gives all of `access` to the path."""
    found = 0
    for rule in rules:
        if within(str(path), rule.path):
            found |= rule.access.value
    return found & access.value == access.value


def test_a_workspace_without_secrets_is_one_rule(workspace: Path) -> None:
    rules = rules_of(Containment("standard", str(workspace)))
    inside = [rule for rule in rules if within(rule.path, str(workspace))]
    assert set(inside) == {
        Rule(str(workspace), Access.READ),
        Rule(str(workspace), Access.WRITE),
    }


def test_nothing_of_a_home_but_what_the_plan_shows(workspace: Path, tmp_path: Path) -> None:
    plan = Containment(
        "standard",
        str(workspace),
        (Mount(str(tmp_path / "tool")), Mount(str(tmp_path / "state"), writable=True)),
    )
    rules = rules_of(plan)
    assert opens(rules, tmp_path / "tool/bin", Access.READ)
    assert not opens(rules, tmp_path / "tool/bin", Access.WRITE)
    assert opens(rules, tmp_path / "state/x", Access.WRITE)
    for closed in (tmp_path / ".ssh", tmp_path, "/home", "/root", "/etc/shadow", "/run", "/tmp"):
        assert not opens(rules, closed, Access.LIST)
    assert not opens(rules, "/dev/pts/7", Access.DEVICE)
    assert not opens(rules, "/dev/shm/x", Access.READ)
    assert opens(rules_of(plan, terminal="/dev/pts/7"), "/dev/pts/7", Access.DEVICE)


def test_what_is_absent_is_closed_and_its_neighbours_are_not(workspace: Path) -> None:
    rules = rules_of(Containment("standard", str(workspace), absent=(str(workspace / "sub"),)))
    assert not opens(rules, workspace / "sub/.env", Access.READ)
    assert opens(rules, workspace / "src/a.py", Access.WRITE)
    assert not opens(rules, workspace / "new", Access.WRITE), "the price"
    assert not opens(rules, workspace, Access.LIST), "what is absent is not listed either"


def test_strict_closes_what_is_masked_and_keeps_what_is_guarded(workspace: Path) -> None:
    plan = Containment(
        "strict",
        str(workspace),
        guarded=(str(workspace / ".git/hooks"), str(workspace / ".git/config")),
        masked=(str(workspace / ".env"), str(workspace / "sub/.env")),
    )
    rules = rules_of(plan)
    for masked in (".env", "sub/.env"):
        assert not opens(rules, workspace / masked, Access.READ)
    assert opens(rules, workspace / ".git/hooks/x", Access.READ)
    assert not opens(rules, workspace / ".git/hooks/x", Access.WRITE)
    assert not opens(rules, workspace / ".git/config", Access.WRITE)
    assert opens(rules, workspace / ".git/objects/new", Access.WRITE)
    assert opens(rules, workspace / "src/new", Access.WRITE)
    assert opens(rules, workspace, Access.LIST), "a masked file's name may be seen"
    assert not_held(plan) == ()


def test_what_a_person_named_is_closed_in_standard_too(workspace: Path) -> None:
    secret, other = str(workspace / "sub/.env"), str(workspace / ".env")
    plan = Containment("standard", str(workspace), masked=(secret, other), denied=(secret,))
    rules = rules_of(plan)
    assert not opens(rules, secret, Access.READ)
    assert opens(rules, workspace / "src/new", Access.WRITE)
    assert not_held(plan) == (other,)


def test_where_nothing_can_be_written_a_mask_costs_nothing(workspace: Path) -> None:
    plan = Containment(
        "standard", "/srv/elsewhere", (Mount(str(workspace)),), masked=(str(workspace / ".env"),)
    )
    rules = rules_of(plan)
    assert not opens(rules, workspace / ".env", Access.READ)
    assert opens(rules, workspace / "src/a.py", Access.READ)
    assert not_held(plan) == ()


def test_standard_says_what_it_does_not_hold(workspace: Path) -> None:
    settings = str(workspace / "src")
    plan = Containment(
        "standard",
        str(workspace),
        (Mount(settings), Mount("/opt/tool")),
        guarded=(str(workspace / ".git/hooks"),),
        masked=(str(workspace / ".env"),),
    )
    assert set(not_held(plan)) == {
        str(workspace / ".git/hooks"),
        str(workspace / ".env"),
        settings,
    }


def test_the_tasks_own_place_counts_inside_what_is_absent(workspace: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    own = state / "task/agent-home"
    own.mkdir(parents=True)
    plan = Containment(
        "standard", str(workspace), (Mount(str(own), writable=True),), absent=(str(state),)
    )
    rules = rules_of(plan, str(state / "task"))
    assert opens(rules, own / "new", Access.WRITE)
    assert opens(rules, state / "task/tmp/x", Access.WRITE)
    assert opens(rules, state / "task/ca.pem", Access.READ)
    assert not opens(rules, state / "task/ca.pem", Access.WRITE)
    assert not opens(rules, state / "key", Access.READ)


def test_a_link_in_a_workspace_opens_nothing(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    (workspace / "link").symlink_to(tmp_path / "secret")
    rules = rules_of(Containment("standard", str(workspace), absent=(str(workspace / "sub"),)))
    assert str(workspace / "link") not in {rule.path for rule in rules}
    assert not opens(rules, tmp_path / "secret", Access.READ)


def test_path_names_only_what_can_be_started(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "hidden").mkdir()
    (tmp_path / "by-link").symlink_to(tmp_path / "bin")
    rules = [Rule(str(tmp_path / "bin"), Access.READ), Rule(str(tmp_path / "hidden"), Access.LIST)]
    value = f"{tmp_path}/hidden:{tmp_path}/bin:{tmp_path}/by-link"
    assert search_path(value, rules) == f"{tmp_path}/bin:{tmp_path}/by-link"
