"""Passwords for any host: `.netrc` and git's plain file.

Sources: the GNU inetutils manual, ".netrc file" (curl and Python's netrc read it alike; NETRC names
another one), git-credential-store(1): one URL a line, in `~/.git-credentials` and
`$XDG_CONFIG_HOME/git/credentials`.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from supervisor.discovery.found import Found, Place, listed, read


def find(place: Place) -> Iterator[Found]:
    file = read(place.named("NETRC", ".netrc"))
    hosts = tuple(dict.fromkeys(_machines(file.text))) if file else ()
    if file and hosts:
        yield Found("netrc", file.path, listed(hosts), hosts=hosts, since=file.changed)
    for path in (f"{place.home}/.git-credentials", place.config("git", "credentials")):
        file = read(path)
        hosts = tuple(dict.fromkeys(_git_hosts(file.text))) if file else ()
        if file and hosts:
            yield Found("git", path, listed(hosts), hosts=hosts, since=file.changed)


def _machines(text: str) -> Iterator[str]:
    """Hosts with a password. Read by words, as curl does: who breaks a line breaks no word."""
    words = text.split()
    machine = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "machine":
            machine = following.lower()
        elif word == "password" and machine:
            yield machine


def _git_hosts(text: str) -> Iterator[str]:
    for line in text.splitlines():
        try:
            url = urlsplit(line.strip())
            if url.hostname and url.password:
                yield url.hostname
        except ValueError:
            continue
