"""An answer for good: on record, in the person's own rules, and not asked again."""

from __future__ import annotations

import tomllib

from tests.support.live import Install, Person, wait_for
from tests.support.scripted_agent import running

COMMAND = "npm install left-pad@1.3.0"


def test_what_is_approved_for_good_is_not_asked_again(install: Install) -> None:
    with Person(install) as person, running(install) as agent:
        person.answers("npm install", scope="always")
        assert agent.announce(COMMAND).allowed
        assert agent.announce(COMMAND).allowed  # this task has the answer as well
    (kept,) = install.records("rule.kept")
    assert 'resource == Package::"npm"' in kept["rule"]
    document = tomllib.loads((install.paths.config / "rules.toml").read_text())
    (rule,) = document["rule"]
    assert rule["title"] == COMMAND
    assert rule["by"]
    with running(install, name="later") as agent:
        assert agent.announce(COMMAND).allowed
    assert len(install.records("approval.asked")) == 1
    with running(install, name="other") as agent:
        agent.begin_soon("npm install right-pad@1.3.0")
        wait_for(lambda: len(install.records("approval.asked")) == 2, "another package's question")
        install.cli("revoke", "--all")


def test_what_could_be_anything_is_not_kept(install: Install) -> None:
    with Person(install) as person, running(install, "--contain", "off") as agent:
        person.answers("python3", scope="always")
        person.answers("", approve=False)
        agent.begin_soon('python3 -c "import os; os.system(input())"')
        wait_for(lambda: install.records("approval.asked"), "the question")
        install.cli("revoke", "--all")
    assert not (install.paths.config / "rules.toml").exists()
    assert not install.records("rule.kept")
