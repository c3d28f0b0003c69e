"""What is masked follows what is in memory, however often it changes."""

from __future__ import annotations

from supervisor.ports import Secret
from supervisor.vault.known import KnownSecrets

_OWN, _LENT = "own-4fz81kq90xvwpl27", "lent-7hq20dmx51cbtr83"
_TEXT = f"curl -H '{_OWN}' -H '{_LENT}'"


def test_each_change_counts_from_the_next_text_on() -> None:
    known = KnownSecrets()
    assert known.redactor().mask(_TEXT) == _TEXT
    known.keep("ci", Secret(_OWN))
    assert _OWN not in known.redactor().mask(_TEXT)
    known.borrow("t-1", "op", Secret(_LENT))
    masked = known.redactor().mask(_TEXT)
    assert _OWN not in masked
    assert _LENT not in masked


def test_a_rotated_secret_is_masked_and_a_removed_one_is_not_held() -> None:
    known = KnownSecrets()
    known.keep("ci", Secret(_OWN))
    known.redactor()
    known.keep("ci", Secret(_LENT))
    assert _LENT not in known.redactor().mask(_TEXT)
    known.drop("ci")
    assert known.get("ci") is None
    assert known.redactor().mask(_TEXT) == _TEXT


def test_the_end_of_a_task_gives_back_what_it_borrowed_and_nothing_else() -> None:
    known = KnownSecrets()
    known.borrow("t-1", "op", Secret(_OWN))
    known.borrow("t-2", "op", Secret(_LENT))
    known.redactor()
    known.give_back("t-1")
    assert known.borrowed("t-1", "op") is None
    assert _LENT not in known.redactor().mask(_TEXT)
    known.give_back("t-3")
    assert known.borrowed("t-2", "op") is not None
