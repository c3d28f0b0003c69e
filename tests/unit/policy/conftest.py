"""Rules of other tools, imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.policy.importers import Options, import_file
from tests.support.imported import HOME, Import, Imported


@pytest.fixture
def take(tmp_path: Path) -> Import:
    def take(tool: str, content: Any, name: str = "", mail: str = "") -> Imported:
        workspace = tmp_path / "ws"
        workspace.mkdir(exist_ok=True)
        file = tmp_path / (name or "rules")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return Imported(import_file(tool, file, Options(home=HOME, mail=mail)), workspace)

    return take
