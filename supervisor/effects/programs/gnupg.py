"""GnuPG: its command is one of its options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_LISTS = names(
    "--list-keys --list-public-keys --list-secret-keys --list-sigs --list-signatures --check-sigs "
    "--fingerprint --list-config --list-gcrypt-config --check-trustdb --list-trustdb --version "
    "--help --warranty --dump-options --gpgconf-list --gpgconf-test --locate-keys"
)
_READS = names(
    "--verify --verify-files --list-packets --print-md --print-mds --decrypt -d --show-keys"
)
_MAKES = {
    "--sign": ".gpg", "-s": ".gpg", "--encrypt": ".gpg", "-e": ".gpg", "--symmetric": ".gpg",
    "-c": ".gpg", "--detach-sign": ".sig", "-b": ".sig", "--clearsign": ".asc",
    "--clear-sign": ".asc", "--store": ".gpg",
}  # fmt: skip
_FETCHES = names("--recv-keys --receive-keys --refresh-keys --search-keys --send-keys --fetch-keys")
_KEEPS = names(
    "--import --fast-import --import-ownertrust --sign-key --lsign-key --quick-sign-key "
    "--quick-lsign-key --generate-key --gen-key --full-generate-key --full-gen-key "
    "--quick-generate-key --quick-gen-key --quick-add-key --quick-add-uid --quick-set-expire "
    "--quick-set-primary-uid --update-trustdb --rebuild-keydb-caches --tofu-policy"
)
_LOSES = names(
    "--delete-keys --delete-key --delete-secret-keys --delete-secret-key "
    "--delete-secret-and-public-key --quick-revoke-uid --generate-revocation --gen-revoke"
)
_ASKS = names("--edit-key --card-edit --change-passphrase --passwd")
_EXPORTS = names("--export --export-ssh-key --export-ownertrust")
_SECRET_EXPORTS = names("--export-secret-keys --export-secret-subkeys")
_COMMANDS = (
    _LISTS | _READS | set(_MAKES) | _FETCHES | _KEEPS | _LOSES | _ASKS | _EXPORTS | _SECRET_EXPORTS
)
_LETTERS = "sebcdkK"  # commands of one letter


@reader
def gpg(invocation: Invocation, words: Sequence[Word]) -> None:
    """Commands may stand anywhere among the options, and letters of them in clusters."""
    commands: list[str] = []
    rest: list[Word] = []
    for word in words:
        text = word.text
        if word.exact and text in _COMMANDS:
            commands.append(text)
        elif word.exact and re.fullmatch(r"-[A-Za-z]+", text) and set(text) & set(_LETTERS):
            found, letters = _letters(text)
            commands += found
            if letters:
                rest.append(Word(f"-{letters}"))
        else:
            rest.append(word)
    given = take(invocation, rest)
    apply_options(invocation, given, "--keyserver")
    output = given.value("-o")
    server = given.value("--keyserver")
    operands = given.operands
    if not commands:
        for word in operands:  # it guesses by what is in the file
            invocation.read(word)
            invocation.write(Word("."))
        return
    for command in commands:
        if command in _FETCHES:
            _fetch(invocation, command, server, operands)
        elif command in _SECRET_EXPORTS:
            invocation.act = "reveal"
        elif command in _LOSES:
            invocation.act = "discard"
        elif command in _ASKS:
            invocation.act = "interactive"
        elif "import" in command:
            for word in operands:
                invocation.read(word)
        elif command in _READS or command in _MAKES:
            for word in operands:
                invocation.read(word)
            if command in _MAKES and output is None and operands:
                suffix = ".asc" if given.has("-a", "--armor") else _MAKES[command]
                invocation.write(Word(f"{operands[0].text}{suffix}", operands[0].exact))


def _letters(text: str) -> tuple[list[str], str]:
    """The commands in a cluster such as `-seao`, and its other letters, which stay in order."""
    found: list[str] = []
    kept = ""
    for index, letter in enumerate(text[1:], 1):
        if letter in "orRufz":  # takes the rest, or the next word
            return found, kept + text[index:]
        if letter in _LETTERS:
            found.append({"k": "--list-keys", "K": "--list-secret-keys"}.get(letter, f"-{letter}"))
        else:
            kept += letter
    return found, kept


def _fetch(
    invocation: Invocation, command: str, server: Word | None, operands: Sequence[Word]
) -> None:
    if command == "--fetch-keys":
        for word in operands:
            invocation.url(word)
    elif server is not None:
        host = re.sub(r"^[a-z]+://", "", server.text).partition("/")[0]
        invocation.host(Word(host, server.exact))
    else:
        invocation.connect("keys.openpgp.org")
