"""Bodies that a server compressed although it was asked not to are looked through too. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from supervisor.channels.http.message import BadGateway, Field
from supervisor.channels.http.reflection import Scanner, Watch

_ZLIB_OR_GZIP = 47  # zlib.h, inflateInit2: 15 bits of window, the header tells which of the two
_RAW = -15
_MOST = 16 * 1024 * 1024  # bytes that one piece of a body may become


def watch(fields: Sequence[Field], secrets: Sequence[bytes]) -> Watch:
    """What looks for `secrets` in the body that comes with these fields.

    Raises:
        BadGateway: in an encoding that cannot be looked through.
    """
    codings = [
        coding.strip().lower()
        for key, _, value in fields
        if key == b"content-encoding"
        for coding in value.split(b",")
    ]
    codings = [coding for coding in codings if coding not in (b"", b"identity")]
    if not codings:
        return Scanner(secrets)
    if len(codings) == 1 and codings[0] in (b"gzip", b"x-gzip", b"deflate"):
        return InflatingScanner(secrets)
    raise BadGateway(
        "The server compressed its answer, though it was asked not to, in a way that cannot be "
        "looked through for the credential.",
        hint="Ask for it without the credential, or for another form of it.",
    )


class InflatingScanner(Watch):
    """Passes a compressed body through as it is, and looks for secrets in what it says."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._scanner = Scanner(secrets)
        self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)
        self._start = b""  # of what tells its form: two bytes
        self._begun = False
        self._held = b""  # since what it says began to look like a secret

    def feed(self, data: bytes) -> bytes:
        for text in self._texts(data):
            self._scanner.feed(text)
        self._held += data
        # The scanner holds no more than a secret's length, and that much compressed is small.
        return b"" if self._scanner.holds else self.rest()

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _texts(self, data: bytes) -> list[bytes]:
        """What `data` says.

        Raises:
            BadGateway: it is not compressed as was said, or says far too much.
        """
        texts: list[bytes] = []
        if not self._begun:
            self._start = data = self._start + data
            if len(data) < 2:
                return texts
        try:
            while data:
                texts.append(self._piece(data))
                data = self._inflate.unused_data
                if data:  # another member of gzip follows (RFC 1952, 2.2)
                    self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)
        except zlib.error as error:
            raise BadGateway("The server's answer is not compressed as it says.") from error
        return texts

    def _piece(self, data: bytes) -> bytes:
        try:
            text = self._inflate.decompress(data, _MOST)
        except zlib.error:
            if self._begun:
                raise
            # "deflate" is sent with and without its header (RFC 9110, 8.4.1.2).
            self._inflate = zlib.decompressobj(_RAW)
            text = self._inflate.decompress(data, _MOST)
        self._begun = True
        if self._inflate.unconsumed_tail:
            raise BadGateway("The server's answer grows too much to be looked through.")
        return text
