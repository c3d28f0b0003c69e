"""Whatever tool rules come from, an import gives no more than they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.errors import PolicyError, UsageError
from supervisor.model import Outcome
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.importers import TOOLS, Options, import_file
from tests.support.imported import HOME, Import


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\0", "permit", '{"permissions": 1, "agents": []}']
)
def test_junk_is_refused_or_gives_no_permission(take: Import, tool: str, text: str) -> None:
    try:
        rules = take(tool, text)
    except PolicyError:
        return  # refused in words, not with a traceback
    assert rules.command("ls") != "allow"


def test_what_is_imported_never_lifts_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"permissions": {"allow": ["Bash(sudo ls:*)", "Read(~/.ssh/**)"]}}))
    text = import_file("claude-code", file, Options(home=HOME)).text
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "x.cedar").write_text(text)
    engine = CedarEngine.load(user_directory=tmp_path / "policy")
    evaluator = Evaluator(engine, True, str(tmp_path), HOME)
    for command in ("sudo ls", f"cat {HOME}/.ssh/id_ed25519"):
        assert evaluator.evaluate({"command": command}).decision is Outcome.DENY


def test_there_is_no_other_importer(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no importer"):
        import_file("emacs", tmp_path)
