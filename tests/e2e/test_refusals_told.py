"""What a real agent's model hears when a command was refused a connection: in words, at once."""

from __future__ import annotations

import json

import pytest

from tests.support.supervised import Supervised


@pytest.mark.parametrize("ends", ["well", "badly"])
async def test_a_refused_connection_is_told_to_the_agent(supervised: Supervised, ends: str) -> None:
    connect = (
        'import socket; print(socket.socket().connect_ex((\\"db.corp.example\\", 5432)))'
        if ends == "well"
        else 'import socket; socket.create_connection((\\"db.corp.example\\", 5432))'
    )
    await supervised.run(supervised.shell(f'python3 -S -c "{connect}"'))
    heard = json.dumps(supervised.model.last.body)
    assert "taskpass refused tcp to db.corp.example port 5432" in heard
    [record] = await supervised.records("egress.refused")
    assert (record["name"], record["port"]) == ("db.corp.example", 5432)
    assert record["call"] == (await supervised.records("call.opened"))[0]["call"]
