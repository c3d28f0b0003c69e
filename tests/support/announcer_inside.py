"""Runs as an agent, inside a task: posts recorded inputs to the hooks it was launched with.

It finds them as that agent would, in the settings its profile generated: a string with the hook's
address is either that address, to which it posts itself, or a command, which it starts and feeds.
A plugin of an agent knows the address without the event, and a script is told the event alone.
Standard library only. The inputs, pairs of event and body, are in ANNOUNCED, which the test puts
before this text.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

BASE = re.compile(r"http://127\.0\.0\.1:\d+/[\w-]+")
generated = Path(os.environ["SSL_CERT_FILE"]).parent
connections = {}


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def settings():
    """Every string of the generated settings; of what is no such file its whole text."""
    readers = {".json": json.loads, ".toml": tomllib.loads}
    for path in sorted(generated.rglob("*")):
        if path.is_file() and path.suffix != ".pem":
            text = path.read_text(errors="replace")
            yield from strings(readers.get(path.suffix, str)(text))
    yield from sys.argv
    yield from os.environ.values()


FOUND = list(settings())
KNOWN = [text for text in FOUND if BASE.search(text)]


def way(event):
    """The address, or the command, that this event goes to."""
    command = re.compile(rf"exec .* {re.escape(event)} \d+")  # one that finds the address itself
    for text in FOUND:
        if command.fullmatch(text):
            return text
    whole = re.compile(BASE.pattern + "/" + re.escape(event) + r"(?![\w/-])")
    for text in KNOWN:
        if whole.search(text):
            return text
    return f"{BASE.search(KNOWN[0])[0]}/{event}"


def announce(event, body):
    to = way(event)
    if not to.startswith("http://"):
        done = subprocess.run(["/bin/sh", "-c", to], input=body, capture_output=True)
        return done.returncode, done.stdout.decode() + done.stderr.decode()
    url = urlsplit(to)
    connection = connections.setdefault(url.netloc, http.client.HTTPConnection(url.netloc))
    connection.request("POST", url.path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


for event, body in ANNOUNCED:  # noqa: F821 - put before this text
    status, answer = announce(event, body.encode())
    if status not in (0, 200):
        sys.exit(f"{status} for {body}: {answer}")
