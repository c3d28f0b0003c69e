#!/usr/bin/python3
"""Plays an agent that speaks ACP, as its makers document the protocol; runs inside a task.

A prompt is a JSON list of commands. It asks for permission before each, and runs what it may; what
came of them is its answer. Once it asks its client to write a file for it.
"""

import json
import subprocess
import sys

mode = "auto"
waiting = 0


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(method, params):
    """The answer of the client; what else it says meanwhile is not expected."""
    global waiting
    waiting += 1
    send({"id": waiting, "method": method, "params": params})
    while True:
        message = receive()
        if message.get("id") == waiting and "method" not in message:
            return message


def tell(session, update):
    send({"method": "session/update", "params": {"sessionId": session, "update": update}})


def prompt(session, commands):
    came = []
    for number, command in enumerate(commands):
        call = {"toolCallId": f"call-{number}", "title": f"`{command}`", "kind": "execute",
                "status": "pending", "rawInput": {"command": command}}  # fmt: skip
        tell(session, {"sessionUpdate": "tool_call", **call})
        options = [
            {"optionId": "always", "name": "Always", "kind": "allow_always"},
            {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
            {"optionId": "no", "name": "No", "kind": "reject_once"},
        ]
        told = {"sessionId": session, "toolCall": call, "options": options}
        answer = ask("session/request_permission", told)["result"]
        chosen = answer["outcome"].get("optionId", "")
        output = ""
        if chosen == "yes":
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
            output = done.stdout + done.stderr
        status = "completed" if chosen == "yes" else "failed"
        ended = {"sessionUpdate": "tool_call_update", "toolCallId": call["toolCallId"]}
        tell(session, {**ended, "status": status})
        came.append({"command": command, "chosen": chosen, "output": output, "mode": mode})
    outside = ask("fs/write_text_file", {"sessionId": session, "path": "/x", "content": "x"})
    came.append({"outside": outside.get("error", {}).get("message", "")})
    tell(session, {"sessionUpdate": "agent_message_chunk",
                   "content": {"type": "text", "text": json.dumps(came)}})  # fmt: skip


print("a line that is no message", flush=True)
while True:
    message = receive()
    method, params = message.get("method"), message.get("params", {})
    if method == "initialize":
        send({"id": message["id"], "result": {"protocolVersion": 1, "seen": params}})
    elif method == "session/new":
        modes = {"currentModeId": mode, "availableModes": [{"id": "auto"}, {"id": "default"}]}
        send({"id": message["id"], "result": {"sessionId": "sess-1", "modes": modes}})
    elif method == "session/set_mode":
        mode = params["modeId"]
        send({"id": message["id"], "result": {}})
    elif method == "session/prompt":
        prompt(params["sessionId"], json.loads(params["prompt"][0]["text"]))
        send({"id": message["id"], "result": {"stopReason": "end_turn"}})
