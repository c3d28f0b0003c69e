"""Wycheproof's vectors of JSON web signatures against our check (tests/vectors/README.md).

We take ES256 alone, so most of the keys are refused, which refuses all that they have signed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from supervisor.errors import ConfigError, InvalidToken
from supervisor.tokens.verify import TokenVerifier

FILE = Path(__file__).parents[2] / "vectors" / "wycheproof" / "json_web_signature_test.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def accepted(key: dict[str, Any], jws: str) -> bool:
    """Whether the signature alone is taken, without the claims that a call token must have."""
    try:
        TokenVerifier({"keys": [key]}, "https://taskpass.invalid").signed(jws)
    except (ConfigError, InvalidToken):
        return False
    return True


def test_no_vector_is_wrongly_accepted() -> None:
    judged = taken = 0
    for group in VECTORS["testGroups"]:
        key = group.get("public") or group["private"]
        for test in group["tests"]:
            judged += 1
            if accepted(key, test["jws"]):
                taken += 1
                assert test["result"] == "valid", (test["tcId"], test["comment"])
    assert judged == VECTORS["numberOfTests"] == 401
    assert taken > 0, "a check that takes nothing proves nothing"


def test_good_signatures_with_our_algorithm_are_accepted() -> None:
    for group in VECTORS["testGroups"]:
        key = group.get("public", {})
        if key.get("alg") == "ES256":
            good = [test for test in group["tests"] if test["result"] == "valid"]
            assert good
            assert all(accepted(key, test["jws"]) for test in good)


def test_the_cases_that_the_library_beneath_gets_wrong_are_refused() -> None:
    # PyJWT 2.15.1 takes keys that are meant for encryption, and base64url that is not canonical.
    wrong = {"rejectWrongUse", "rejectWrongKeyOps"}
    found = 0
    for group in VECTORS["testGroups"]:
        for test in group["tests"]:
            if test["comment"] in wrong:
                found += 1
                assert not accepted(group.get("public") or group["private"], test["jws"])
    assert found == 4
