from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.ledger.store import SqliteLedger
from tests.contract.ledger_contract import LedgerContract


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[SqliteLedger]:
        ledger = SqliteLedger(tmp_path / "ledger.db")
        yield ledger
        await ledger.close()
