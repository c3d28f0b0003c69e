"""Examples beside rules are tried when the rules are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.errors import PolicyError
from supervisor.policy.engine import CedarEngine
from supervisor.policy.examples import check, examples_of, holds, matches
from supervisor.policy.source import Layer, Policy, PolicySource

PUSH = (
    'forbid (principal, action == Action::"run", resource) when { context.arguments like "push*" };'
)


def policy(text: str) -> Policy:
    (only,) = CedarEngine([PolicySource("mine.cedar", text, Layer.USER)]).policies
    return only


def test_an_example_matches_by_the_rules_own_conditions() -> None:
    rule = policy(PUSH)
    assert matches(rule, "git push origin main")
    assert matches(rule, "ls && git push")
    assert not matches(rule, "git pull")


def test_a_rule_for_uncontained_tasks_has_examples_too() -> None:
    rule = policy(
        'permit (principal, action == Action::"run", resource) when { !principal.contained };'
    )
    assert matches(rule, "ls")


def test_an_example_names_a_file_by_what_reads_it() -> None:
    rule = policy(
        'forbid (principal, action == Action::"read", resource) when { context.name == "x.pem" };'
    )
    assert matches(rule, "cat deep/x.pem")
    assert not matches(rule, "cat x.txt")


def test_an_example_names_a_tool() -> None:
    rule = policy('forbid (principal, action == Action::"mcp", resource == Tool::"a.b");')
    assert matches(rule, '{"tool": "mcp__a__b"}')
    assert not matches(rule, '{"tool": "mcp__a__c"}')
    with pytest.raises(PolicyError, match="names no tool"):
        matches(rule, '{"x": 1}')


def test_examples_are_numbered_or_a_list() -> None:
    rule = policy(
        '@match("git push") @match2("git push -f") @not_match("[\\"ls\\", \\"git pull\\"]")' + PUSH
    )
    found = [(example.text, example.matches) for example in examples_of(rule)]
    assert found == [
        ("git push", True), ("git push -f", True), ("ls", False), ("git pull", False),
    ]  # fmt: skip
    assert all(map(holds, examples_of(rule)))
    assert check([rule]) == 4


@pytest.mark.parametrize(
    ("note", "says"),
    [
        ('@match("git pull")', r"mine\.cedar:2: @match fails: .* does not cover 'git pull'"),
        ('@not_match("git push")', r"mine\.cedar:2: @not_match fails: .* covers 'git push'"),
        ('@match("[1]")', r"@match is neither an example nor a JSON list"),
        ('@match("")', r"@match is neither"),
    ],
)
def test_a_failing_example_is_named_by_file_and_line(note: str, says: str, tmp_path: Path) -> None:
    text = f"\n{note}\n{PUSH}"
    with pytest.raises(PolicyError, match=says):
        check([policy(text)])
    (tmp_path / "mine.cedar").write_text(text)
    with pytest.raises(PolicyError, match=says):
        CedarEngine.load(user_directory=tmp_path)
    with pytest.raises(PolicyError, match=says):
        CedarEngine.load().tightened([PolicySource("mine.cedar", text, Layer.PROJECT)])


@pytest.mark.parametrize("name", ["aks", "matches", "Ask", "deny"])
def test_a_misspelt_annotation_is_an_error(name: str) -> None:
    with pytest.raises(PolicyError, match=rf"mine\.cedar:2:2: there is no annotation `{name}`"):
        policy(f'\n@{name}("x") permit (principal, action, resource);')


def test_the_presets_uphold_their_own_examples() -> None:
    for preset in ("standard", "strict"):
        check(CedarEngine.load(preset).policies)
