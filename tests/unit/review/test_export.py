"""Exports prove themselves: any change of any byte is seen, without the database."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.errors import UsageError
from supervisor.ledger.files import key_path
from supervisor.ledger.reading import reading
from supervisor.ledger.signing import CheckpointKey, fingerprint
from supervisor.protocol.review import FORMATS
from supervisor.review.checking import check_file
from supervisor.review.exporting import COLUMNS, Origin, export
from supervisor.review.finding import matching
from supervisor.review.query import parse
from tests.support.past import BEGAN, Told, a_day, write_past

HOSTILE = "=cmd|'/c calc'!A1 | <script>alert(1)</script> `x` [link](http://e) \x1b[2J‮ \u2028 end"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("past") / "ledger.db"
    hostile: Told = ("call.denied", {"task": "t-1", "preview": HOSTILE, "outcome": "deny",
                                     "reason": HOSTILE})  # fmt: skip
    write_past(path, [*a_day(2, 12), hostile, ("task.revoked", {"task": "t-1", "by": "ana"})])
    return path


def exported(past: Path, form: str, line: str = "", chain: str = "ok") -> bytes:
    key = CheckpointKey.from_file(key_path(past))
    with reading(past) as source:
        origin = Origin(line, BEGAN, key.public, chain, source.head)
        found = matching(source, parse(line, BEGAN))
        return b"".join(export(form, found, source.checkpoints(), origin, key.sign_statement))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("line", ["", "task:t-1", "decision:deny", "nothing-at-all"])
def test_it_is_as_it_was_written(past: Path, form: str, line: str) -> None:
    found = check_file(exported(past, form, line))
    assert found.ok, found.message
    assert found.key == fingerprint(CheckpointKey.from_file(key_path(past)).public)


def test_all_of_it_is_one_chain_with_its_heads(past: Path) -> None:
    found = check_file(exported(past, "jsonl"))
    with reading(past) as source:
        assert found.linked == found.records - 1 == source.head - 1
        assert found.checkpoints == len(list(source.checkpoints()))


@pytest.mark.parametrize("form", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_byte_of_it_can_be_changed(past: Path, form: str, data: st.DataObject) -> None:
    whole = exported(past, form, "task:t-1 decision:ask,deny")
    at = data.draw(st.integers(0, len(whole) - 2))  # the last is the end of the line
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    changed = whole[:at] + bytes([other]) + whole[at + 1 :]
    try:
        found = check_file(changed)
    except UsageError:
        return
    # White space and escapes in the JSON of the proof mean nothing: what they say is the same.
    assert not found.ok or json_of(changed) == json_of(whole)


def json_of(whole: bytes) -> tuple[bytes, object]:
    body, _, last = whole.rstrip(b"\n").rpartition(b"\n")
    text = last[last.index(b"{") : last.rindex(b"}") + 1].replace(b'""', b'"')
    return body, json.loads(text)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_records_left_out_or_put_elsewhere_are_seen(past: Path, form: str) -> None:
    lines = exported(past, form).splitlines(keepends=True)
    for altered in (lines[:4] + lines[5:], [*lines[:3], lines[4], lines[3], *lines[5:]]):
        assert not check_file(b"".join(altered)).ok


def test_a_file_of_somebody_else_is_theirs_by_its_key(past: Path, tmp_path: Path) -> None:
    write_past(tmp_path / "ledger.db", a_day(1, 5))
    forged = exported(tmp_path / "ledger.db", "jsonl")
    assert check_file(forged).key != check_file(exported(past, "jsonl")).key
    other = CheckpointKey(Ed25519PrivateKey.generate())
    proof = json.loads(forged.splitlines()[-1])["proof"] | {"key": other.public.hex()}
    body = b"".join(forged.splitlines(keepends=True)[:-1])
    assert not check_file(body + json.dumps({"proof": proof}).encode()).ok


def test_one_made_of_a_broken_history_says_so(past: Path) -> None:
    found = check_file(exported(past, "jsonl", chain="Record 7 was altered."))
    assert not found.ok
    assert "Record 7 was altered" in found.message


@pytest.mark.parametrize("data", [b"", b"hello\n", b'{"proof":{}}\n', b"a,b\n", b"\xff\xfe\n"])
def test_what_is_no_export_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(UsageError, match="proof") as caught:
        check_file(data)
    assert "taskpass history --export" in str(caught.value.hint)


def test_a_table_calculates_nothing_that_an_agent_wrote(past: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(past, "csv").decode())))
    assert tuple(rows[0]) == COLUMNS
    hostile = next(row for row in rows if "calc" in row["what"])
    assert hostile["what"].startswith("'=cmd")
    assert all(len(row) == len(COLUMNS) and None not in row.values() for row in rows)
    assert json.loads(hostile["record"])["preview"] == HOSTILE


def test_a_report_tells_the_session_and_starts_no_markup_of_an_agents(past: Path) -> None:
    text = exported(past, "md").decode()
    for said in ("## Tasks", "prompts per 100 calls", "## Questions and answers", "work of t-2",
                 "## Refused", "chain of records: ok", "## Frozen and revoked"):  # fmt: skip
        assert said in text
    assert "<script>" not in text
    assert "](http" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        if line.startswith("| 20"):
            assert line.count("|") == 5
