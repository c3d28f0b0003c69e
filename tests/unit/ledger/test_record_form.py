"""A record's bytes are those of RFC 8785, whichever of its two writers wrote them."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.ledger.record import RESERVED, encode
from supervisor.model import Answer, Scope
from tests.support.core_fakes import CHILD, ROOT, STAND_IN, World, an_effect

_flat = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([*Answer, *Scope])
    | st.lists(st.text(), max_size=3)
)
_deep = st.recursive(_flat, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
_keys = (st.sampled_from(("task", "effect", "until")) | st.text()).filter(
    lambda key: key not in RESERVED
)


@given(st.dictionaries(_keys, _flat | _deep), st.floats(0, 2e9))
@example({"until": 0.0, "empty": [], "note": '\x7f\x1f"\\\n\u2028é'}, 1_763_885_474.0)
@example({"small": 1e-5, "large": 1e17, "minus": -0.0, "one": 1.0, "safe": 2**53 - 1}, 0.1)
@example({"\U00010000": 1, "\uffff": 2}, 0.1)
@example({"unsafe": 2**53}, 0.1)
@example({"unsafe": 2.0**53}, 0.1)
@example({"nothing": float("nan")}, 0.1)
@example({"endless": float("-inf")}, 0.1)
@example({"lone": "\ud800"}, 0.1)
def test_records_are_in_canonical_form(body: dict[str, Any], time: float) -> None:
    head = bytes(range(32))
    ours = {"v": 1, "seq": 7, "time": round(time, 6), "kind": "x", "prev": head.hex()}
    try:
        expected = rfc8785.dumps({**body, **ours})
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            encode(7, time, "x", head, body)
    else:
        assert encode(7, time, "x", head, body) == expected


async def test_what_a_call_records_needs_only_the_quick_writer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    handle = await world.handle()
    await world.engine.authorize_use(
        world.task, handle, [CHILD, ROOT], an_effect("GET"), [STAND_IN], []
    )
    monkeypatch.delattr(rfc8785, "dumps")
    for record in world.ledger.records:
        body = {key: value for key, value in record.items() if key not in RESERVED}
        assert encode(1, 0.5, record["kind"], bytes(32), body)
