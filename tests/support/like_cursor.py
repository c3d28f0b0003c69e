#!/usr/bin/python3
"""Plays Cursor's command line agent as its makers document it; runs inside a task.

It reads the managed hooks, asks them the way Cursor's own runner does (a login shell, the input
as a here-document; status 2, no output, no JSON and a time that is over are denials), and obeys.
In the end it tries to change the hooks of its next session itself.
Its argument is a JSON list of commands; what came of each goes to standard output as JSON lines.
"""

import json
import os
import re
import subprocess
import sys

CONVERSATION = "6c0f7a3e-4f4c-4d0e-9a53-0f8f1d1d4a10"


def ask(hooks, event, subject, fields):
    """The answer of the hook of this event; {} where none is asked."""
    body = {
        "conversation_id": CONVERSATION, "generation_id": "g-1", "model": "gpt", **fields,
        "session_id": CONVERSATION, "hook_event_name": event, "cursor_version": "2026.10.01",
        "workspace_roots": [os.getcwd()], "user_email": None, "transcript_path": None,
    }  # fmt: skip
    for hook in hooks.get(event, []):
        if subject and not re.search(hook.get("matcher", ""), subject):
            continue
        text = f"{hook['command']} <<'CURSOR_HOOK_EOF'\n{json.dumps(body)}\nCURSOR_HOOK_EOF"
        done = subprocess.run(
            [os.environ["SHELL"], "-lc", text],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=hook["timeout"],
        )  # fmt: skip
        denied = {"permission": "deny", "user_message": done.stderr.strip()}
        if done.returncode == 2 or not done.stdout.strip():
            return denied if hook.get("failClosed") else {}
        try:
            return json.loads(done.stdout)
        except ValueError:
            return denied
    return {}


def main():
    with open("/etc/cursor/hooks.json") as file:
        # As Cursor reads it: what follows two slashes is a comment.
        hooks = json.loads(re.sub(r"//.*$", "", file.read(), flags=re.M))["hooks"]
    for number, command in enumerate(json.loads(sys.argv[-1])):
        call = {"tool_name": "Shell", "tool_input": {"command": command, "cwd": os.getcwd()},
                "tool_use_id": f"toolu_{number}"}  # fmt: skip
        answer = ask(hooks, "preToolUse", "Shell", {**call, "cwd": os.getcwd()})
        told = {"command": command, "permission": answer.get("permission"),
                "message": answer.get("user_message", "")}  # fmt: skip
        if answer.get("permission") == "allow":
            use = answer.get("updated_input", call["tool_input"])["command"]
            done = subprocess.run(
                [os.environ["SHELL"], "-c", use], capture_output=True, text=True, check=False
            )
            told["output"] = done.stdout + done.stderr
            ask(hooks, "postToolUse", "Shell", {**call, "tool_output": "{}", "duration": 1})
        print(json.dumps(told), flush=True)
    ask(hooks, "stop", "", {"status": "completed", "loop_count": 0})
    for path in ("/etc/cursor/hooks.json", os.path.expanduser("~/.cursor/hooks.json")):
        try:
            with open(path, "w"):
                print(json.dumps({"changed": path}), flush=True)
        except OSError as error:
            print(json.dumps({"kept": path, "why": error.strerror}), flush=True)


main()
