"""What the documents promise is there: commands, pictures, and the attacks that are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supervisor.issuers.local_jwt import LONGEST, SKEW
from tests.adversarial.test_attack_matrix import ALWAYS_OPEN_UNCONTAINED

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")


@pytest.mark.parametrize("command", ["taskpass demo", "pytest"])
def test_the_readme_gives_the_command_that_sets_everything_up(command: str) -> None:
    assert f"    pip install uv && uv run {command}\n" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_points_to_is_there(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).is_file()] == []


def test_security_lists_every_attack_that_is_tried() -> None:
    inside = (ROOT / "tests/support/attacks_inside.py").read_text()
    tried = set(re.findall(r"@attack\ndef (\w+)", inside))
    rows = re.findall(
        r"^\| `(\w+)` \| fails \| (?:fails|open) \| ([\w ]+) \| (?:no trace|A|B|A, B) \|$",
        (ROOT / "SECURITY.md").read_text(),
        re.M,
    )
    assert len(rows) == len(tried)
    assert {name for name, _ in rows} == tried
    assert {name for name, found in rows if found == "open"} == ALWAYS_OPEN_UNCONTAINED


def test_security_states_the_bound_of_a_local_token() -> None:
    assert (
        f"{LONGEST:.0f} s, and the verifier's clock skew ({SKEW:.0f} s in ours)"
        in (ROOT / "SECURITY.md").read_text()
    )
