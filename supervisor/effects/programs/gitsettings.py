"""Git: settings, which may run or redirect things, and aliases."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from supervisor.effects.programs.described import all_given, take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.git import repository_of
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.repository import settings_of
from supervisor.effects.reading import Word

_CONFIG_WORDS = frozenset(
    {"list", "get", "set", "unset", "rename-section", "remove-section", "edit"}
)
# Settings that neither run anything nor send anything elsewhere.
_HARMLESS = re.compile(
    r"user\.(?:name|email|useconfigonly)|init\.defaultbranch|(?:color|column|advice|log|status|grep|"
    r"blame|stash|versionsort|i18n|index|pack|feature|rerere|fetch|gc|apply|showbranch|decorate|"
    r"whitespace|checkout|worktree|notes|cherry|am|clone)\..+|core\.(?:autocrlf|eol|safecrlf|filemode|"
    r"ignorecase|quotepath|longpaths|abbrev|precomposeunicode|protecthfs|protectntfs|symlinks|"
    r"preloadindex|untrackedcache|commentchar|commentstring|compression|loosecompression|"
    r"bigfilethreshold|logallrefupdates|whitespace|sparsecheckout|sparsecheckoutcone|bare|"
    r"deltabasecachelimit|packedgitlimit|packedgitwindowsize|checkstat|trustctime|"
    r"repositoryformatversion|warnambiguousrefs|createobject|fsync|fsyncmethod|multipackindex|"
    r"commitgraph|useReplaceRefs|maxtreedepth)|branch\..+\.(?:merge|rebase|description)|"
    r"branch\.autosetup(?:merge|rebase)|branch\.sort|push\.(?:default|autosetupremote|followtags)|"
    r"pull\.(?:rebase|ff|octopus)|rebase\.(?:autostash|autosquash|updaterefs|stat|"
    r"missingcommitscheck|abbreviatecommands|forkpoint|rebasemerges)|merge\.(?:conflictstyle|ff|log|"
    r"renames|renamelimit|directoryrenames|stat|autostash|verbosity|branchdesc)|diff\.(?:renames|"
    r"renamelimit|algorithm|colormoved|colormovedws|noprefix|mnemonicprefix|wserrorhighlight|context|"
    r"interhunkcontext|submodule|wordregex|relative|statgraphwidth|ignoresubmodules|suppressblankempty|"
    r"indentheuristic|srcprefix|dstprefix|autorefreshindex|dirstat|orderfile)|format\.(?:pretty|"
    r"numbered|subjectprefix|signoff|coverletter|thread)|commit\.(?:gpgsign|verbose|status|cleanup)|"
    r"tag\.(?:gpgsign|sort|forcesignannotated)|submodule\.(?:recurse|fetchjobs|.+\.(?:active|ignore))|"
    r"http\.(?:postbuffer|lowspeedlimit|lowspeedtime|version|maxrequests)|maintenance\.auto|"
    r"interactive\.singlekey|transfer\.fsckobjects|protocol\.version|lfs\.(?:locksverify|"
    r"concurrenttransfers|fetchinclude|fetchexclude|skipsmudge)",
    re.IGNORECASE,
)
# Settings whose value is a command; with these values they run nothing of interest.
_COMMANDS = re.compile(
    r"core\.(?:pager|editor|sshcommand|fsmonitor|askpass|gitproxy|hookspath|alternaterefscommand)|"
    r"sequence\.editor|pager\..+|diff\.external|diff\..+\.(?:command|textconv)|credential\..*helper|"
    r"interactive\.difffilter|gpg\..*program|filter\..+|difftool\..+|mergetool\..+|merge\..+\.driver|"
    r"remote\..+\.(?:uploadpack|receivepack|vcs)|uploadpack\..+hook|trailer\..+\.(?:command|cmd)|"
    r"sendemail\..+cmd|browser\..+|man\..+|web\.browser|alias\..+",
    re.IGNORECASE,
)
_PLAIN_VALUES = frozenset(
    {"", "cat", "less", "more", "true", "false", ":", "/dev/null", "less -FRX"}
)
_TELLS_SECRET = re.compile(r"extraheader|password|passwd|token|secret|cookie", re.IGNORECASE)


@reader
def git_setting(invocation: Invocation, words: Sequence[Word]) -> None:
    """`-c KEY=VALUE`: a setting for this run only, which may be a command that it runs."""
    (word,) = words
    key, _, value = word.text.partition("=")
    if not word.exact:
        invocation.opaque("has a setting that is only known when it runs")
    elif not _is_harmless(key, value):
        invocation.act = invocation.act or "settings"
        invocation.opaque(f"is told {key}, which can run or redirect things")
        if _COMMANDS.fullmatch(key):
            invocation.script(Word(value.removeprefix("!")))


def _is_harmless(key: str, value: str) -> bool:
    if _HARMLESS.fullmatch(key):
        return True
    return _COMMANDS.fullmatch(key) is not None and value in _PLAIN_VALUES


@reader
def git_config(invocation: Invocation, words: Sequence[Word]) -> None:
    """Reads or changes settings; one that can run or redirect things has the act `settings`."""
    given = all_given(invocation, words)
    operands = list(given.operands)
    form = operands.pop(0).text if operands and operands[0].text in _CONFIG_WORDS else ""
    file = given.value("--file")
    if form == "edit" or given.has("-e", "--edit"):
        invocation.act = "settings"
        invocation.opaque("opens an editor")
        return
    changes = form in {"set", "unset", "rename-section", "remove-section"} or given.has(
        "--add", "--replace-all", "--unset", "--unset-all", "--rename-section", "--remove-section"
    )
    asks = form in {"list", "get"} or given.has(
        "-l", "--list", "--get", "--get-all", "--get-regexp", "--get-urlmatch", "--get-color"
    )
    if not changes and (asks or len(operands) < 2):
        if file is not None:
            invocation.read(file)
        if any(_TELLS_SECRET.search(word.text) for word in operands):
            invocation.act = "reveal"
        return
    if file is not None and invocation.read(file):
        invocation.write(file)
    key = operands[0] if operands else Word("", exact=False)
    value = operands[1] if len(operands) > 1 else Word("")
    if not (key.exact and value.exact):
        invocation.opaque("sets what is only known when it runs")
    if given.has("--system") or not _is_harmless(key.text, value.text):
        invocation.act = "settings"
    elif given.has("--global"):
        invocation.write(Word(os.path.join(invocation.where.place.home, ".gitconfig")))


@reader
def git_alias(invocation: Invocation, words: Sequence[Word]) -> None:
    """A subcommand that is in no table: an alias of the repository or the account, or unknown."""
    before = take(invocation, words, stop=True)
    invocation.given = before
    apply_given(invocation, Given(before.options))
    if before.next >= len(words):
        return
    name = words[before.next]
    rest = words[before.next + 1 :]
    repository = repository_of(invocation)
    alias = f"alias.{name.text}"
    text = repository.settings.get(alias) if repository and name.exact else None
    if text is None and name.exact:
        for file in (".gitconfig", ".config/git/config"):
            text = settings_of(os.path.join(invocation.where.place.home, file)).get(alias, text)
    if text is None:
        invocation.unknown(f"does not know the subcommand {name.text}")
        return
    invocation.act = "project"
    if text.startswith("!"):
        extra = [shlex.quote(word.text) for word in rest]
        exact = all(word.exact and not word.glob for word in rest)
        invocation.script(Word(" ".join([text[1:], *extra]), exact=exact))
        return
    try:
        alias_words = [Word(part) for part in shlex.split(text)]
    except ValueError:
        invocation.opaque(f"has an alias {name.text} that cannot be read")
        return
    invocation.run([invocation.words[0], *alias_words, *rest])
