"""Clusters and infrastructure: which operation, on which system, and what it takes from here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.knowledge import Option
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given, split
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

# Contexts that tools for clusters on this machine make.
_LOCAL = re.compile(
    r"kind-.+|k3d-.+|minikube|docker-desktop|docker-for-desktop|rancher-desktop|colima(?:-.+)?|"
    r"orbstack|microk8s"
)
_FREE = names("completion help options plugin kustomize")
_READS = names(
    "get describe logs top events explain api-resources api-versions cluster-info version wait "
    "diff auth status history whoami projects project"
)
_DESTROYS = names("delete drain prune")
_CHANGES = names(
    "create apply replace patch edit label annotate scale autoscale set expose taint cordon "
    "uncordon certificate reconcile rollout run exec attach cp debug port-forward proxy new-app "
    "new-project rsh rsync start-build adm policy login logout process import-image tag"
)
_SHORT_FLAGS = {"logs": ("-f", "-p"), "drain": (), "exec": ("-p",)}
_SECRETS = re.compile(r"(?:^|[,/])secrets?(?:$|[,/.])", re.IGNORECASE)
_NAMES_ONLY = names("name wide")


def _operate(
    invocation: Invocation, context: Word | None, system: str, operation: str, degree: str
) -> None:
    """An operation on the cluster of `context`, or on the one that is set."""
    if context is None or not context.exact:
        invocation.operate(system, operation, degree)
        return
    local = _LOCAL.fullmatch(context.text) is not None
    invocation.operate(system, operation, degree, context.text, local=local)


@reader
def kubectl(invocation: Invocation, words: Sequence[Word]) -> None:
    """`kubectl [options] VERB …`; a command for a container stands behind `--`."""
    ends = [index for index, word in enumerate(words) if word.text == "--"]
    inner = words[ends[0] + 1 :] if ends else ()
    outer = words[: ends[0]] if ends else words
    before = split(outer, 0, invocation.table, stop=True)
    verb = outer[before.next].text if before.next < len(outer) else ""
    if not verb and not before.problems:
        return
    table = invocation.table
    for name in _SHORT_FLAGS.get(verb, ()):
        invocation.table = replace(table, options={**table.options, name: Option((name,))})
        table = invocation.table
    given = described(invocation, outer, "-f", "--from-file")
    _manifests(invocation, given)
    operands = given.operands[1:]
    if verb == "config":
        _kubectl_config(invocation, given, operands)
    elif verb == "kustomize":
        for word in operands:
            invocation.read(word)
    elif verb in _FREE or (verb == "version" and given.has("--client")):
        return
    elif verb in _READS | _DESTROYS | _CHANGES:
        _kubectl_verb(invocation, given, verb, operands)
        if inner and verb in {"exec", "run", "debug", "rsh"}:
            invocation.run(inner, invocation.deeper(elsewhere=True))
    else:
        invocation.unknown(f"does not know the subcommand {verb}")


def _kubectl_verb(
    invocation: Invocation, given: Given, verb: str, operands: Sequence[Word]
) -> None:
    dry = given.value("--dry-run")
    degree = "read" if verb in _READS else "destroy" if verb in _DESTROYS else "change"
    first = operands[0].text if operands else ""
    if verb == "rollout" and first in {"status", "history"}:
        degree = "read"
    if verb == "auth" and first == "reconcile":
        degree = "change"
    if dry is not None and dry.exact and degree != "read":
        if dry.text == "client":
            return
        degree = "read" if dry.text == "server" else degree
    if verb == "get":
        _kubectl_get(invocation, given, operands)
    if verb == "create" and first == "token":
        invocation.act = "reveal"
    if verb == "proxy":
        invocation.act = "listen"
    if verb == "cp":
        for index, word in enumerate(operands[:2]):
            if not re.match(r"[A-Za-z0-9][\w./-]*:", word.text):
                apply(invocation, "write" if index else "read", word)
    if given.has("--patch-file", "--prune") and verb == "apply":
        degree = "destroy" if given.has("--prune") else degree
    if not all(word.exact for word in operands):
        invocation.opaque("is told what is only known when it runs")
    if given.has("-s", "--server", "--cluster", "--kubeconfig"):
        invocation.operate("kubernetes", verb, degree)
    else:
        _operate(invocation, given.value("--context"), "kubernetes", verb, degree)


def _kubectl_get(invocation: Invocation, given: Given, operands: Sequence[Word]) -> None:
    """Values of secrets are shown in the long forms of output."""
    raw = any("--raw" in option.names for option, _ in given.options)
    form = given.value("-o") or given.value("--template")
    named = any(_SECRETS.search(word.text) for word in operands)
    if named and (raw or (form is not None and form.text not in _NAMES_ONLY)):
        invocation.act = "reveal"


def _kubectl_config(invocation: Invocation, given: Given, operands: Sequence[Word]) -> None:
    what = operands[0].text if operands else ""
    if what == "view" and given.has("--raw"):
        invocation.act = "reveal"
    elif what not in {"view", "current-context", "get-contexts", "get-clusters", "get-users", ""}:
        invocation.operate("kubernetes", "config", "change")


def _manifests(invocation: Invocation, given: Given) -> None:
    for option, value in given.options:
        if value is None:
            continue
        if "-f" in option.names or "--from-file" in option.names:
            text = value.text
            if "--from-file" in option.names:
                text = text.partition("=")[2] or text
            if re.match(r"https?://", text):
                invocation.url(value)
            elif text != "-":
                invocation.read(replace(value, text=text))


# ── Helm ────────────────────────────────────────────────────────────────────────────────

_HELM_DEGREES = {"uninstall": "destroy", "delete": "destroy", "del": "destroy", "un": "destroy"}
_HELM_CHANGES = names("install upgrade rollback test")


@reader
def cluster_logs(invocation: Invocation, words: Sequence[Word]) -> None:
    """Logs of many pods at once, of the cluster that `--context` names."""
    _operate(
        invocation, described(invocation, words).value("--context"), "kubernetes", "logs", "read"
    )


@reader
def helm_local(invocation: Invocation, words: Sequence[Word]) -> None:
    """What is done to a chart here: `[NAME] CHART`."""
    given = _helm(invocation, words)
    dry = given.value("--dry-run")
    if given.has("--validate") or (dry is not None and dry.text == "server"):
        _operate(invocation, _helm_context(invocation), "helm", "template", "read")
    if invocation.table.subcommand == "package" and not given.has("-d", "--destination"):
        invocation.write(Word("."))


@reader
def helm_live(invocation: Invocation, words: Sequence[Word]) -> None:
    """What is done in a cluster."""
    given = _helm(invocation, words)
    operation = _written_subcommand(invocation)
    last = operation.rpartition(" ")[2]
    degree = _HELM_DEGREES.get(last, "change" if last in _HELM_CHANGES else "read")
    dry = given.value("--dry-run")
    if dry is not None and dry.text in {"client", "true"}:
        return
    if operation.startswith("get ") and last in {"values", "all", "manifest"}:
        degree = "read"
    _operate(invocation, _helm_context(invocation), "helm", operation, degree)


def _written_subcommand(invocation: Invocation) -> str:
    """The subcommand as it was written: `upgrade`, where the table is of `install`."""
    depth = len(invocation.table.key) - 1
    found: list[str] = []
    options = {name for option, _ in invocation.given.options for name in option.names}
    previous = ""
    for word in invocation.words[1:]:
        taken = previous in options and "=" not in previous
        if not word.text.startswith("-") and not taken:
            found.append(word.text)
        previous = word.text
        if len(found) == depth:
            break
    return " ".join(found)


def _helm_context(invocation: Invocation) -> Word | None:
    given = invocation.given
    if given.has("--kube-apiserver", "--kubeconfig"):
        return None
    return given.value("--kube-context")


def _helm(invocation: Invocation, words: Sequence[Word]) -> Given:
    given = described(invocation, words, "--set-file", "--repo")
    invocation.given.options += given.options
    for option, value in given.options:
        if value is not None and "--set-file" in option.names:
            for part in value.text.split(","):
                invocation.read(replace(value, text=part.partition("=")[2] or part))
    repository = given.value("--repo")
    if repository is not None:
        invocation.url(repository)
    if "--values" in invocation.table.options or "--app-version" in invocation.table.options:
        for chart in given.operands[-1:]:
            _chart(invocation, chart)
    return given


def _chart(invocation: Invocation, chart: Word) -> None:
    """A chart is read from a directory or file here, or fetched from an address."""
    if re.match(r"https?://", chart.text):
        invocation.url(chart)
    elif chart.text.startswith("oci://"):
        invocation.host(replace(chart, text=chart.text[6:].partition("/")[0]))
    else:
        invocation.read(chart)


# ── Terraform ───────────────────────────────────────────────────────────────────────────


@reader
def terraform_fmt(invocation: Invocation, words: Sequence[Word]) -> None:
    """Rewrites files unless it only checks."""
    given = described(invocation, words)
    write = given.value("-write")
    checks = given.has("-check") or (write is not None and write.text == "false")
    for word in given.operands or [Word(".")]:
        if word.text == "-":
            continue
        if checks and given.operands:
            invocation.read(word)
        elif not checks:
            if given.operands:
                invocation.read(word)
            invocation.write(word)


@reader
def terraform_init(invocation: Invocation, words: Sequence[Word]) -> None:
    """Fetches modules and providers; with a backend it speaks to where the state is kept."""
    given = described(invocation, words, "-from-module", "-upgrade", "-backend")
    for word in given.operands:
        invocation.read(word)
    invocation.write(Word(".terraform"))
    module = given.value("-from-module")
    upgrade = given.value("-upgrade")
    if module is not None:
        invocation.act = "install"
        invocation.install(module)
    elif given.has("-upgrade") and (upgrade is None or upgrade.text != "false"):
        invocation.act = "install"
        invocation.install(Word(""))
    backend = given.value("-backend")
    if backend is None or backend.text != "false":
        moves = given.has("-migrate-state", "-force-copy")
        invocation.operate("terraform", "init", "change" if moves else "read")


_REACHING = re.compile(r"\b(?:file\w*|templatefile|fileset|pathexpand|abspath)\s*\(")


@reader
def terraform_console(invocation: Invocation, words: Sequence[Word]) -> None:
    """Evaluates expressions from its input, whose functions can read any file."""
    described(invocation, words)
    where = invocation.where
    if where.stdin != "text" or _REACHING.search(where.stdin_text):
        invocation.opaque("evaluates expressions that can read any file")


# ── Ansible ─────────────────────────────────────────────────────────────────────────────

_ONLY_LISTS = ("--syntax-check", "--list-hosts", "--list-tasks", "--list-tags")


def _only_here(invocation: Invocation, given: Given) -> bool:
    """Whether hosts, connection and user are surely those of this command itself."""
    connection, inventory, module = (given.value(name) for name in ("-c", "-i", "-m"))
    if given.has("-b", "--become", "-K", "-J", "-u"):
        return False
    if inventory is not None:
        local = inventory.exact and inventory.text in {"localhost,", "127.0.0.1,"}
        if not local or connection is None or connection.text != "local":
            return False
    if invocation.program == "ansible-playbook":
        return inventory is not None
    names = {word.text for word in given.operands}
    looks = {"setup", "ping", "debug", "command", "shell"}
    return names == {"localhost"} and (
        module is None or module.text.removeprefix("ansible.builtin.") in looks
    )


@reader
def ansible_hosts(invocation: Invocation, words: Sequence[Word]) -> None:
    """A play, or one module, for the hosts of an inventory."""
    given = described(invocation, words, "-i", "-e")
    for option, value in given.options:
        if value is None:
            continue
        if "-i" in option.names and "," not in value.text:
            invocation.read(value)
        if "-e" in option.names:
            apply(invocation, "at-read", value)
    if invocation.program == "ansible-playbook":
        for word in given.operands:
            invocation.read(word)
    if given.has(*_ONLY_LISTS):
        return
    here = _only_here(invocation, given)
    if not here:  # otherwise it is code of the project, on this machine
        invocation.operate("ansible", "run", "read" if given.has("-C", "--check") else "change")
    module, text = given.value("-m"), given.value("-a")
    if text is not None and (
        module is None or module.text.rpartition(".")[2] in {"command", "shell"}
    ):
        invocation.script(text, invocation.deeper(elsewhere=not here))
