"""Runs as the agent, inside a task: does one thing after the other that a test tells it.

It plays Claude Code where that is too slow or cannot be made to misbehave: it is started with the
same settings file, posts the same hooks, and starts the same shells. Standard library only.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request

with open(sys.argv[sys.argv.index("--settings") + 1]) as file:
    settings = json.load(file)
wrapper = settings["env"]["CLAUDE_CODE_SHELL_PREFIX"]
children = {}
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def url(event):
    return settings["hooks"][event][0]["hooks"][0]["url"]


def hook(event, call, command, **more):
    body = {
        "hook_event_name": event,
        "session_id": "scripted",
        "cwd": os.getcwd(),
        "tool_name": "Bash",
        "tool_use_id": call,
        "tool_input": {"command": command},
        **more,
    }
    request = urllib.request.Request(
        url(event), json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with direct.open(request, timeout=60) as answer:
        return json.load(answer)


def announce(call, command):
    """The hook's answer: may it run, why not, and as what."""
    output = hook("PreToolUse", call, command)["hookSpecificOutput"]
    rewritten = output.get("updatedInput", {}).get("command", "")
    return {
        "allowed": output["permissionDecision"] == "allow",
        "reason": output["permissionDecisionReason"],
        "command": rewritten,
    }


def start(call, argv):
    with open(f"output-{call}", "wb") as output:
        children[call] = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    return {"pid": children[call].pid}


def begin(call, command):
    """Announce a call and start it."""
    answer = announce(call, command)
    if answer["allowed"]:
        answer |= start(call, [wrapper, answer["command"]])
    return answer


def finish(call, command=""):
    """Wait for a call's process, and say that it has ended."""
    code = children[call].wait()
    if command:
        hook("PostToolUse", call, command)
    with open(f"output-{call}", errors="replace") as output:
        return {"code": code, "output": output.read()}


DOES = {f.__name__: f for f in (url, announce, start, begin, finish)}


def serve(line, control, lock):
    order = json.loads(line)
    try:
        done = {"done": DOES[order["do"]](**order["with"])}
    except Exception as error:
        done = {"failed": repr(error)}
    with lock:
        control.sendall(json.dumps({"order": order["order"], **done}).encode() + b"\n")


def main():
    control = socket.socket(socket.AF_UNIX)
    control.connect("control")
    lock = threading.Lock()
    for line in control.makefile():
        threading.Thread(target=serve, args=(line, control, lock)).start()


main()
