"""HTTP/2 for both ends of `kill.py`: an answer that ticks without end, and who listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

_TICK = 0.02  # seconds


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    known: Callable[[str], bool],
    note: Callable[[str], None],
) -> None:
    """One connection, whose first stream ticks until it, or the connection, is gone."""
    h2 = H2Connection(H2Configuration(client_side=False))
    h2.initiate_connection()
    ticks = 0
    try:
        while True:
            writer.write(h2.data_to_send())
            try:
                async with asyncio.timeout(_TICK):
                    data = await reader.read(65536)
            except TimeoutError:
                if ticks:
                    h2.send_data(ticks, b"tick\n")
                continue
            if not data:
                return
            for event in h2.receive_data(data):
                match event:
                    case RequestReceived():
                        fields = dict(event.headers)
                        login = fields.get(b"authorization", b"").decode()
                        good = known(login)
                        h2.send_headers(event.stream_id, [(":status", "200" if good else "401")])
                        if good:
                            note("use")
                            ticks = event.stream_id
                    case StreamReset(stream_id=stream) if stream == ticks:
                        return
    except OSError:
        pass
    finally:
        if ticks:
            note("end")
        writer.transport.abort()


async def use(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    authority: str,
    login: str,
    heard: Callable[[], None],
) -> int:
    """Ask for the answer that ticks; the status that it was refused with, 0 for a cut."""
    h2 = H2Connection(H2Configuration(client_side=True))
    h2.initiate_connection()
    head = [
        (":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", "/http2"),
        ("authorization", login),
    ]  # fmt: skip
    h2.send_headers(h2.get_next_available_stream_id(), head, end_stream=True)
    while True:
        writer.write(h2.data_to_send())
        data = await reader.read(65536)
        if not data:
            return 0
        for event in h2.receive_data(data):
            match event:
                case ResponseReceived():
                    status = int(dict(event.headers)[b":status"])
                    if status != 200:
                        return status
                    heard()
                case DataReceived():
                    heard()
                    h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case StreamReset() | StreamEnded():
                    return 0
