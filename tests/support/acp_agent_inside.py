"""Runs as an agent that speaks ACP, inside a task: asks its client about recorded calls, in order.

They are the tool calls in the inputs of ANNOUNCED, which the test puts before this text. It begins
with the client's first request, and answers that one last. Standard library only.
"""

import json
import sys


def receive():
    return json.loads(sys.stdin.readline())


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


begun = receive()
OPTIONS = [
    {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
    {"optionId": "no", "name": "No", "kind": "reject_once"},
]
for number, (_, body) in enumerate(ANNOUNCED):  # noqa: F821 - put before this text
    asked = {"sessionId": "s", "toolCall": json.loads(body)["toolCall"], "options": OPTIONS}
    send({"id": number, "method": "session/request_permission", "params": asked})
    while receive().get("id") != number:
        pass
send({"id": begun["id"], "result": {"protocolVersion": 1}})
