"""A `.env` is rewritten in nothing but the secrets that move."""

from __future__ import annotations

import io

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import UsageError
from supervisor.imports import dotenv

SECRET, STAND_IN = "sk_live_4fz81kq90xvwpl27mncb", "sk_live_zzzzzzzzzzzzzzzzzzzz"

FILES = [
    f"A={SECRET}\n",
    f"A={SECRET}",
    f"export A='{SECRET}'\r\nB=1\r\n",
    f'  A = "{SECRET}"  # the live one\n\n\n',
    f"# old: {SECRET}\nA={SECRET} # as above\nA={SECRET}\n",
    f"URL=https://u:{SECRET}@api.test/x\nA={SECRET}\n",
    f'K="-----BEGIN X-----\nline\n-----END X-----\n"\nA={SECRET}\n',
    f"\ufeffA={SECRET}\n",
    f"A={SECRET}\nBROKEN 'line\nB=\nC\n= 3\n",
    f'B=\'${{A}}\'\nA={SECRET}\nC="x\\"y"\n',
]


@pytest.mark.parametrize("text", FILES)
def test_every_other_byte_stays(text: str) -> None:
    content = text.encode()
    changed = dotenv.replaced(dotenv.read(content), {SECRET: STAND_IN})
    assert changed == text.replace(SECRET, STAND_IN).encode()
    assert SECRET.encode() not in changed
    before = dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
    after = dotenv_values(stream=io.StringIO(changed.decode(), newline=""), interpolate=False)
    assert list(before) == list(after)
    assert after[next(name for name in after if name.endswith("A"))] == STAND_IN


def test_bytes_that_are_no_text_stay() -> None:
    content = b"# \xff\xfe\nA=" + SECRET.encode() + b"\nB=\xff\n"
    assert dotenv.replaced(dotenv.read(content), {SECRET: STAND_IN}) == content.replace(
        SECRET.encode(), STAND_IN.encode()
    )


def test_lines_are_those_a_person_counts() -> None:
    file = dotenv.read(b"# one\r\n\r\nA=1\r\n\r\nexport B='x\r\ny'\r\nC=2\n")
    assert [(value.name, value.line) for value in file.values] == [("A", 3), ("B", 5), ("C", 7)]


@pytest.mark.parametrize(
    "text",
    ["A='a\\'b'", 'A="a\\nb"', "A=a#b", "A='a b'", 'A="$B-xxxxxxx"', "A=a`b", "A=ü", 'A="a\nb"'],
)
def test_what_readers_differ_about_is_not_plain(text: str) -> None:
    assert [value.plain for value in dotenv.read(text.encode()).values] == [False]


def test_what_would_be_read_otherwise_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be rewritten"):
        dotenv.replaced(dotenv.read(b"A=secret-one\nB=2\n"), {"A=secret-one\nB": "A"})


@given(
    st.lists(
        st.sampled_from(
            [
                "A=", "export ", "B", "=", " ", "\n", "\r\n", "'", '"', "#", "\\", SECRET, "x",
                "${A}", "\t", "é", f"T={SECRET}\n", f"U='{SECRET}'\n", "sk_live_zz",
            ]
        ),
        max_size=25,
    )
)  # fmt: skip
def test_whatever_the_file_it_is_rewritten_exactly_or_refused(pieces: list[str]) -> None:
    text = "".join(pieces)
    content = text.encode()
    try:
        changed = dotenv.replaced(dotenv.read(content), {SECRET: STAND_IN})
    except UsageError:
        return
    assert changed == content.replace(SECRET.encode(), STAND_IN.encode())
