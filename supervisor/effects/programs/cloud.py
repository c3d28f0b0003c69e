"""Command lines of clouds and hosted services: an operation's degree by its verb.

Their commands are words such as `compute instances delete` or `ec2 describe-instances`. The
strictest verb among the words decides; a word that is no verb we know counts as a change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_READS = names(
    "list ls describe show get view read info status whoami logs tail print lookup head stat stats "
    "du history diff version versions top events current cat ping doctor pull download fetch "
    "export config"
)
_DESTROYS = names(
    "delete del destroy terminate remove rm rb purge drop deregister revoke wipe prune empty erase "
    "uninstall teardown truncate flush kill reset discard shutdown release-address rmi undeploy"
)
_PUBLISHES = names("deploy publish promote release ship submit launch rollout push send invite")
_CHANGES = names(
    "create update set add put attach detach enable disable start stop restart apply edit run "
    "exec sync upload copy cp mv import import-image rename scale tag untag assign unassign "
    "associate disassociate modify patch restore rollback upgrade resize move grant invoke "
    "install init register reboot suspend resume unset reassign mb cancel transfer rotate execute "
    "recover failover post replace bind unbind link unlink approve reject merge close open query"
)
_ORDER = ("read", "change", "publish", "destroy")

# What prints or makes a credential.
_REVEALS = re.compile(
    r"\b(?:get-session-token|get-federation-token|assume-role[\w-]*|(?:batch-)?get-secret-value|"
    r"get-login(?:-password)?|get-authorization-token|get-access-token|get-token|get-password-data|"
    r"get-credentials-for-identity|get-role-credentials|print-(?:access|identity|refresh)-token|"
    r"create-access-key|create-login-profile|create-api-key|access-?keys? create|list-keys|"
    r"keys? (?:list|create|show|renew|get)|api-?keys? \w+|(?:list|show)-?connection-strings?|"
    r"connection-string|secrets? (?:get|show|download|versions access|access|list-values|reveal)|"
    r"get-secrets?|decrypt|export-credentials|show-admin-password|get-upload-credentials|"
    r"tokens? \w+|authorizations(?::\w+)? ?\w*|auth:token|auth token|access-token\S*|"
    r"credentials? (?:get|show|list|create|reset|view)|config:get|env (?:pull|ls|get|list|print)|"
    r"env:(?:get|list|print)|variables? (?:get|list)|get-parameters?[\w-]*|kubeconfig \w+|"
    r"admin-key|query-key|generate-db-auth-token|generate-access-token|sign-url|signurl|"
    r"password \w+|print-token|show-token|dsn \w+)"
)
_LOGS_IN = re.compile(
    r"(?:^|\s)(?:login|logout|signin|signout|auth (?:login|logout|activate\S*|configure\S*|revoke)|"
    r"sso log(?:in|out)|configure|configure-docker|get-credentials)\b"
)
# What is run over there, or hands its terminal over.
_REMOTE = re.compile(
    r"(?:^|\s)(?:ssh|exec|console|bash|shell|start-session|run-command|send-command|rsh|scp|"
    r"execute-command|invoke-command|proxy|port-forward|tunnel|connect|psql|mysql|sql:connect|"
    r"pg:psql|ssh-to-pod|run:\w+|run)(?=\s|$)"
)
_AWS_OUTPUTS = names("get-object invoke get-export synthesize-speech")
_SERVICE_FIRST = names("aws gcloud az")  # their first word names a service, whatever it says
_DEPLOY_BARE = names("vercel now surge")  # told nothing, they deploy the working directory
_PAGED = names("aws gcloud az")  # their help opens in a pager
_STORES = names("s3cmd s5cmd mc b2")
_UPLOADS = names("put cp mv sync mirror upload upload-file")
_BUCKET = re.compile(r"(?:s3|gs|azure|b2|oss|cos|r2)://", re.IGNORECASE)
# Words that only work on files here.
_LOCAL: dict[str, frozenset[str]] = {
    "cdk": names("synth synthesize ls list init doctor docs acknowledge metadata context notices"),
    "sam": names("build validate init local docs"),
    "serverless": names("package print create plugin"),
    "sls": names("package print create plugin"),
    "vercel": names("dev build help"),
    "netlify": names("dev build help"),
    "wrangler": names("dev types init check docs"),
    "firebase": names("emulators:start emulators:exec init help serve experiments:list"),
    "supabase": names("start stop init status"),
    "heroku": names("local help version commands plugins autocomplete which"),
    "flyctl": names("version help doctor config"),
    "fly": names("version help config"),
    "sst": names("version"),
    "amplify": names("version"),
    "azd": names("version config"),
    "func": names("start new init"),
    "chalice": names("local package"),
    "istioctl": names("analyze manifest version"),
    "linkerd": names("inject version"),
    "kubeseal": frozenset(),
    "kyverno": names("test version"),
    "argocd": names("version help completion"),
    "flux": names("version completion build"),
    "databricks": names("version help"),
    "stripe": names("version help completion"),
    "nats": names("context"),
    "consul": names("version validate fmt"),
    "nomad": names("version fmt validate"),
    "kompose": names("convert version"),
}
_FILE_OPTIONS = re.compile(
    r"-f|--(?:[a-z]+-)*(?:file|template|source|body|from-file|bundle|archive|zip-file|script)"
)
_OUT_OPTIONS = re.compile(
    r"--(?:output-file|outfile|out-file|output-dir|outdir|download-path|dest|destination)"
)


@reader
def cloud(invocation: Invocation, words: Sequence[Word]) -> None:
    """One operation on a live system; files that it names are read."""
    system = invocation.program
    operation, rest = _operation(invocation, words)
    before = invocation.table.key[1:]
    text = " ".join([*before, *(word.text for word in operation)])
    asks_help = any(word.text in {"help", "--help", "-h"} for word in words)
    if not text and system in _DEPLOY_BARE and not asks_help:
        invocation.operate(system, "deploy", "publish")
        return
    if not text or asks_help:
        if system in _PAGED:
            invocation.act = "interactive"
        return
    if all(word.text in {"--version", "version"} for word in words):
        return
    if not all(word.exact for word in operation):
        invocation.opaque("is told what is only known when it runs")
    local = _LOCAL.get(system, frozenset())
    _files(invocation, rest)
    if operation and operation[0].text in local:
        return
    if _LOGS_IN.search(text):
        invocation.operate(system, "login", "change")
        return
    if _REMOTE.search(text) and not _is_service(system, operation):
        invocation.opaque("runs what it is told over there")
    degree = _degree(system, operation)
    if _REVEALS.search(text) or (system == "heroku" and text == "config"):
        invocation.act = "reveal"
    if system == "aws":
        _aws_output(invocation, operation, rest)
    length = _length(system, operation)
    if system in _STORES and operation[length - 1].text in _UPLOADS:
        for word in operation[length:]:
            if _BUCKET.match(word.text) is None:
                invocation.read(word)
    target = operation[length].text if length < len(operation) else ""
    what = [*before, *(word.text for word in operation[:length])]
    invocation.operate(system, " ".join(what), degree, target)


def _length(system: str, operation: Sequence[Word]) -> int:
    """How many words name the operation: those up to its verb."""
    if system == "aws":
        return min(2, len(operation))
    skipped = 1 if system in _SERVICE_FIRST and len(operation) > 1 else 0
    verbs = (
        index
        for index, word in enumerate(operation)
        if index >= skipped and _verb(word.text.lower())
    )
    return next(verbs, min(1, len(operation) - 1)) + 1


def _is_service(system: str, operation: Sequence[Word]) -> bool:
    """`gcloud run services list`: a service of that name, not an order to run something."""
    return (
        system in {"gcloud", "aws"} and bool(operation) and operation[0].text in {"run", "connect"}
    )


def _operation(invocation: Invocation, words: Sequence[Word]) -> tuple[list[Word], Sequence[Word]]:
    """The words before the first option behind them, and the rest."""
    options = invocation.table.options
    index = 0
    while index < len(words) and words[index].text.startswith("-"):
        option = options.get(words[index].text)
        index += 2 if option is not None and option.role is not None else 1
    start = index
    while index < len(words) and not words[index].text.startswith("-"):
        index += 1
    return list(words[start:index]), words[index:]


def _degree(system: str, operation: Sequence[Word]) -> str:
    """The strictest verb decides; without any it is a change."""
    texts = [word.text.lower() for word in operation]
    if system in _SERVICE_FIRST and len(texts) > 1:
        texts = texts[1:2] if system == "aws" else texts[1:]
    found = [degree for text in texts for degree in _verb(text)]
    return max(found, key=_ORDER.index, default="change")


def _verb(text: str) -> list[str]:
    """The degrees that a word may stand for: `delete-object`, `addons:destroy`, `list`."""
    parts = re.split(r"[:.]", text)
    heads = {part.partition("-")[0] for part in parts}
    found = []
    if heads & _DESTROYS or text in _DESTROYS:
        found.append("destroy")
    if heads & _PUBLISHES:
        found.append("publish")
    if heads & _CHANGES:
        found.append("change")
    if (
        text in _READS
        or parts[-1] in _READS
        or text.startswith(("describe-", "get-", "list-", "print-"))
    ):
        found.append("read")
    return found


def _files(invocation: Invocation, words: Sequence[Word]) -> None:
    """`file://PATH`, `@PATH` and the values of options that name files."""
    previous = ""
    for word in words:
        name, equals, value = word.text.partition("=")
        text = value if equals and name.startswith("-") else word.text
        option = name if equals and name.startswith("-") else previous
        previous = word.text if word.text.startswith("-") and not equals else ""
        if word.text.startswith("-") and not equals:
            continue
        match = re.fullmatch(r"fileb?://(.*)|@(.+)", text, re.DOTALL)
        if match is not None:
            invocation.read(Word(match[1] or match[2], word.exact))
        elif not option:
            continue
        elif _OUT_OPTIONS.fullmatch(option):
            if text != "-":
                invocation.write(replace(word, text=text))
        elif _FILE_OPTIONS.fullmatch(option) and "://" not in text and text not in {"-", "."}:
            invocation.read(replace(word, text=text))


def _aws_output(invocation: Invocation, operation: Sequence[Word], rest: Sequence[Word]) -> None:
    """Some operations of aws put their answer into a file that stands last."""
    if len(operation) > 2:
        invocation.write(operation[2])
        return
    ends = len(rest) > 2 and not any(word.text.startswith("-") for word in rest[-2:])
    if ends and operation and operation[-1].text in _AWS_OUTPUTS:
        invocation.write(rest[-1])


@reader
def cloud_request(invocation: Invocation, words: Sequence[Word]) -> None:
    """A request to the cloud's own interface: the method decides."""
    method = "GET"
    for index, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if name in {"--method", "-m"}:
            following = words[index + 1] if index + 1 < len(words) else Word("", exact=False)
            chosen = Word(value, word.exact) if equals else following
            method = chosen.text.upper() if chosen.exact else "DELETE"
    _files(invocation, words)
    degree = {"GET": "read", "HEAD": "read", "DELETE": "destroy"}.get(method, "change")
    invocation.operate(invocation.program, "rest", degree)


# ── Stores of objects ───────────────────────────────────────────────────────────────────

_OBJECT_DEGREES = {
    "ls": "read", "presign": "change", "signurl": "change", "cat": "read", "du": "read",
    "stat": "read", "hash": "read", "version": "read", "rm": "destroy", "rb": "destroy",
}  # fmt: skip
_COPIES = names("cp mv sync rsync")


@reader
def aws_s3(invocation: Invocation, words: Sequence[Word]) -> None:
    """`aws s3 cp SOURCE TARGET` and its like, in either direction."""
    _store(invocation, words, public="--acl", deletes="--delete", dry="--dryrun")


@reader
def gsutil(invocation: Invocation, words: Sequence[Word]) -> None:
    """The same for Google's store."""
    _store(invocation, words, public="-a", deletes="-d", dry="-n")


def _store(
    invocation: Invocation, words: Sequence[Word], *, public: str, deletes: str, dry: str
) -> None:
    """By what the store calls its options."""
    given = described(invocation, words)
    access = given.value(public)
    _objects(
        invocation,
        given.operands,
        deletes=given.has(deletes),
        public=access is not None and access.text.startswith("public"),
        dry=given.has(dry),
    )


def _objects(
    invocation: Invocation, operands: Sequence[Word], *, deletes: bool, public: bool, dry: bool
) -> None:
    if not operands:
        return
    system = invocation.program
    verb = operands[0].text
    places = list(operands[1:])
    operation = f"{invocation.table.subcommand} {verb}".strip()
    if verb not in _COPIES:
        for word in places:
            if not word.exact:
                invocation.opaque("is told what is only known when it runs")
        invocation.operate(system, operation, _OBJECT_DEGREES.get(verb, "change"))
        return
    target = places.pop() if len(places) > 1 else Word("")
    for source in places:
        if _is_remote(invocation, source) or source.text == "-":
            continue
        if invocation.read(source) and verb == "mv":
            invocation.delete(source)
    if _is_remote(invocation, target):
        degree = "destroy" if deletes else "publish" if public else "change"
    else:
        degree = "destroy" if verb == "mv" else "read"
        if target.text not in {"-", ""} and invocation.write(target) and deletes:
            invocation.clear(target)
    invocation.operate(system, operation, "read" if dry else degree)


def _is_remote(invocation: Invocation, word: Word) -> bool:
    if not word.exact and not _BUCKET.match(word.text):
        invocation.opaque("copies from or to a place that is only known when it runs")
        return True
    return _BUCKET.match(word.text) is not None
