"""A recording's file: nobody reads it, and nothing of it is changed, moved or cut off unseen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.errors import LedgerBroken
from supervisor.recording.sealed import Reader, Writer, header_of

KEY = bytes(range(32))
CHUNKS = [b"first" * 40, b"second", b"", b"last of all"]


def written(path: Path, *, closed: bool = True, key: bytes = KEY) -> Path:
    writer = Writer(path, "t-1", 1000.0, key, b'{"v": 1}')
    for number, data in enumerate(CHUNKS):
        writer.write(1000.0 + number, data)
    if closed:
        writer.close(1010.0)
    else:
        writer.abandon()
    return path


def all_of(path: Path, key: bytes = KEY) -> tuple[list[bytes], bool]:
    reader = Reader(path, key)
    return [reader.read(place) for place in reader.places], reader.whole


def test_what_was_written_is_read_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path / "r")
    assert path.stat().st_mode & 0o777 == 0o600
    assert all_of(path) == ([*CHUNKS, b""], True)
    reader = Reader(path, KEY)
    assert reader.read(reader.places[1]) == b"second"
    assert [place.start for place in reader.places] == [1000, 1001, 1002, 1003, 1010]
    header = header_of(path)
    assert (header.task, header.began) == ("t-1", 1000.0)
    raw = path.read_bytes()
    assert b"second" not in raw
    assert KEY not in raw


def test_one_that_was_not_closed_is_read_and_is_not_whole(tmp_path: Path) -> None:
    assert all_of(written(tmp_path / "r", closed=False)) == (CHUNKS, False)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerBroken, match="altered"):
        all_of(written(tmp_path / "r"), bytes(32))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_every_changed_byte_is_seen(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / os.urandom(4).hex()
    raw = bytearray(written(path).read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        chunks, whole = all_of(path)
    except LedgerBroken:
        return
    # A length that was made longer hides what follows it: then the file is not whole.
    assert not whole
    assert chunks == [*CHUNKS, b""][: len(chunks)]


@given(cut=st.integers(1, 300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_file_that_was_cut_is_not_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / os.urandom(4).hex()
    raw = written(path).read_bytes()
    kept = max(len(header_of(path).line), len(raw) - cut)
    path.write_bytes(raw[:kept])
    chunks, whole = all_of(path)
    assert not whole
    assert chunks == CHUNKS[: len(chunks)]


def test_chunks_that_were_swapped_or_come_from_elsewhere_do_not_open(tmp_path: Path) -> None:
    path = written(tmp_path / "r")
    first, second = Reader(path, KEY).places[:2]
    raw = path.read_bytes()
    swapped = (
        raw[: first.offset]
        + raw[second.offset : second.offset + 12 + second.length]
        + raw[first.offset : first.offset + 12 + first.length]
        + raw[second.offset + 12 + second.length :]
    )
    path.write_bytes(swapped)
    with pytest.raises(LedgerBroken, match="Part 1"):
        all_of(path)
    path.write_bytes(raw.replace(b'"t-1"', b'"t-2"'))
    with pytest.raises(LedgerBroken, match="Part 1"):
        all_of(path)


@pytest.mark.parametrize("data", [b"", b"{}\n", b"no json\n", b'{"v": 9}\n'])
def test_what_is_no_recording_is_told_in_words(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r").write_bytes(data)
    with pytest.raises(LedgerBroken, match="no recording of ours"):
        Reader(tmp_path / "r", KEY)
