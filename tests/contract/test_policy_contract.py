"""The Cedar engine keeps the contract."""

from functools import cache

from supervisor.policy.engine import CedarEngine
from tests.contract.policy_contract import PolicyEngineContract


@cache
def _engine() -> CedarEngine:
    return CedarEngine.load()


class TestCedarEngine(PolicyEngineContract):
    def engine(self) -> CedarEngine:
        return _engine()
