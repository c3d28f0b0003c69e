"""What a program's subcommand does beyond this machine: its *act*.

Acts (the `act` of a `run` effect, as policy reads it):

- `""`: nothing we know to reach beyond the task
- `push`: sends commits to a remote
- `outward`: publishes, releases, deploys, merges or changes a live system
- `post`: writes something others can see (a comment, an issue, a pull request)
- `install`: adds software whose install scripts run
- `reveal`: prints a stored credential
- `privilege`: becomes another user
- `persist`: starts something that outlives the task
- `terminal`: drives another terminal
- `containers`: talks to a container engine
- `supervisor`: talks to us
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Options that take a separate value and may stand before the subcommand.
VALUED: dict[str, frozenset[str]] = {
    "git": frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env"}),
    "gh": frozenset({"-R", "--repo", "--hostname"}),
    "npm": frozenset({"--prefix", "-w", "--workspace", "--registry", "--loglevel", "--userconfig"}),
    "pnpm": frozenset({"-C", "--dir", "--filter", "-F", "--registry", "--loglevel"}),
    "yarn": frozenset({"--cwd", "--registry"}),
    "cargo": frozenset({"--config", "-Z", "-C", "--color", "--manifest-path"}),
    "uv": frozenset({"--directory", "--project", "--config-file", "--cache-dir", "--color"}),
    "docker": frozenset({"-H", "--host", "-c", "--context", "-l", "--log-level", "--config"}),
    "kubectl": frozenset(
        {"-n", "--namespace", "--context", "--cluster", "--kubeconfig", "--user", "-s", "--server"}
        | {"--as", "--token", "--request-timeout", "-v"}
    ),
    "helm": frozenset({"-n", "--namespace", "--kube-context", "--kubeconfig"}),
    "aws": frozenset({"--profile", "--region", "--output", "--endpoint-url", "--query"}),
    "gcloud": frozenset({"--project", "--account", "--configuration", "--format"}),
    "az": frozenset({"--subscription", "-o", "--output", "--query"}),
}
VALUED["podman"] = VALUED["docker"]
VALUED["tofu"] = VALUED["terraform"] = frozenset()

_FLAGS = frozenset({"--no-pager", "--bare", "--paginate", "-p", "--silent", "-s", "-q", "--quiet"})

# program → (subcommand words, act); the longest match wins; () is the program's default.
_ACTS: dict[str, dict[tuple[str, ...], str]] = {
    "git": {
        ("push",): "push",
        ("send-email",): "post",
        ("credential",): "reveal",
        ("credential-store",): "reveal",
        ("credential-cache",): "reveal",
    },
    "gh": {
        ("auth", "token"): "reveal",
        ("auth", "status"): "",
        ("auth",): "reveal",
        ("workflow", "run"): "outward",
        ("workflow", "enable"): "outward",
        ("workflow", "disable"): "outward",
        ("run", "rerun"): "outward",
        ("release", "create"): "outward",
        ("release", "upload"): "outward",
        ("release", "edit"): "outward",
        ("release", "delete"): "outward",
        ("pr", "merge"): "outward",
        ("pr", "create"): "post",
        ("pr", "comment"): "post",
        ("pr", "review"): "post",
        ("pr", "edit"): "post",
        ("pr", "close"): "post",
        ("pr", "ready"): "post",
        ("issue", "create"): "post",
        ("issue", "comment"): "post",
        ("issue", "edit"): "post",
        ("issue", "close"): "post",
        ("issue", "delete"): "outward",
        ("gist", "create"): "outward",
        ("repo", "create"): "outward",
        ("repo", "delete"): "outward",
        ("repo", "edit"): "outward",
        ("repo", "archive"): "outward",
        ("secret", "set"): "outward",
        ("secret", "delete"): "outward",
        ("variable", "set"): "outward",
        ("ssh-key", "add"): "outward",
        ("extension", "install"): "install",
        ("alias", "set"): "install",
    },
    "npm": {
        ("publish",): "outward",
        ("unpublish",): "outward",
        ("deprecate",): "outward",
        ("dist-tag",): "outward",
        ("access",): "outward",
        ("owner",): "outward",
        ("token",): "reveal",
        ("login",): "outward",
        ("adduser",): "outward",
    },
    "cargo": {
        ("publish",): "outward",
        ("yank",): "outward",
        ("owner",): "outward",
        ("login",): "outward",
        ("install",): "install",
        ("add",): "install",
    },
    "uv": {("publish",): "outward", ("add",): "install", ("tool", "install"): "install"},
    "poetry": {("publish",): "outward", ("add",): "install"},
    "pdm": {("publish",): "outward", ("add",): "install"},
    "hatch": {("publish",): "outward"},
    "flit": {("publish",): "outward"},
    "twine": {("upload",): "outward"},
    "gem": {("push",): "outward", ("yank",): "outward", ("install",): "install"},
    "mvn": {("deploy",): "outward"},
    "dotnet": {("nuget", "push"): "outward", ("add",): "install"},
    "go": {("install",): "install", ("get",): "install"},
    "rustup": {("target", "add"): "install", ("toolchain", "install"): "install"},
    "brew": {("install",): "install"},
    "docker": {
        (): "containers",
        ("push",): "outward",
        ("image", "push"): "outward",
        ("stack", "deploy"): "outward",
        ("service",): "outward",
        ("login",): "outward",
        ("ps",): "",
        ("images",): "",
        ("version",): "",
        ("logs",): "",
        ("inspect",): "",
    },
    "docker-compose": {(): "containers", ("push",): "outward", ("ps",): "", ("logs",): ""},
    "terraform": {
        ("apply",): "outward",
        ("destroy",): "outward",
        ("import",): "outward",
        ("state",): "outward",
        ("taint",): "outward",
        ("untaint",): "outward",
        ("workspace", "delete"): "outward",
    },
    "pulumi": {("up",): "outward", ("destroy",): "outward", ("refresh",): "outward"},
    "cdk": {("deploy",): "outward", ("destroy",): "outward"},
    "serverless": {("deploy",): "outward", ("remove",): "outward"},
    "kubectl": {
        (): "outward",
        ("get",): "",
        ("describe",): "",
        ("logs",): "",
        ("explain",): "",
        ("version",): "",
        ("diff",): "",
        ("top",): "",
        ("api-resources",): "",
        ("config", "get-contexts"): "",
        ("config", "current-context"): "",
        ("config",): "reveal",
    },
    "helm": {
        ("install",): "outward",
        ("upgrade",): "outward",
        ("uninstall",): "outward",
        ("rollback",): "outward",
        ("push",): "outward",
    },
    "ansible-playbook": {(): "outward"},
    "fly": {("deploy",): "outward"},
    "flyctl": {("deploy",): "outward"},
    "vercel": {(): "outward", ("ls",): "", ("inspect",): ""},
    "netlify": {("deploy",): "outward"},
    "heroku": {(): "outward"},
    "wrangler": {("deploy",): "outward", ("publish",): "outward", ("secret",): "outward"},
    "firebase": {("deploy",): "outward"},
    "gcloud": {
        (): "outward",
        ("auth",): "reveal",
        ("config", "list"): "",
        ("version",): "",
    },
    "az": {(): "outward", ("account", "get-access-token"): "reveal", ("version",): ""},
    "aws": {
        (): "outward",
        ("s3", "ls"): "",
        ("sts", "get-caller-identity"): "",
        ("sts",): "reveal",
        ("configure",): "reveal",
        ("secretsmanager",): "reveal",
        ("ecr", "get-login-password"): "reveal",
    },
    "systemctl": {(): "persist", ("status",): "", ("list-units",): "", ("show",): ""},
    "launchctl": {(): "persist", ("list",): ""},
    "security": {(): "reveal"},
    "secret-tool": {(): "reveal"},
    "pass": {(): "reveal"},
    "op": {(): "reveal"},
    "vault": {(): "reveal"},
}
_ACTS["tofu"] = _ACTS["terraform"]
_ACTS["podman"] = _ACTS["nerdctl"] = _ACTS["docker"]
_ACTS["pnpm"] = {**_ACTS["npm"], ("add",): "install"}
_ACTS["yarn"] = {**_ACTS["npm"], ("add",): "install", ("npm", "publish"): "outward"}
_ACTS["bun"] = {("publish",): "outward", ("add",): "install"}
for _act, _programs in {
    "privilege": "sudo su doas pkexec run0 sudoedit runuser nsenter",
    "persist": "crontab at batch systemd-run",
    "terminal": "tmux screen zellij wezterm kitten",
    "supervisor": "taskpass",
    "reveal": "git-credential-store git-credential-manager git-credential-osxkeychain",
}.items():
    for _program in _programs.split():
        _ACTS[_program] = {(): _act}

_INSTALLERS = frozenset({"pip", "pip3", "uv", "npm", "pnpm", "yarn", "bun"})
_CLOUD_READS = ("describe", "list", "get-", "ls", "show", "head-", "wait")


def subcommands(program: str, arguments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every reading of the subcommand: an unknown option may or may not take a value.

    Each reading is a tuple of the words that are not options, from the subcommand on. A
    program without subcommands gives one reading.
    """
    if program not in _ACTS and program not in _INSTALLERS:
        yield ()
        return
    valued = VALUED.get(program, frozenset())
    position, certain = 0, True
    while position < len(arguments):
        word = arguments[position]
        if not word.startswith(("-", "+")) or word == "-":
            yield tuple(a for a in arguments[position:] if not a.startswith("-"))
            if certain:
                return
            certain = True  # read as the value of the unknown option before it
            position += 1
            continue
        if word in valued:
            position += 1
        elif word.startswith("-") and "=" not in word and word not in _FLAGS:
            certain = False
        position += 1
    yield ()


def act_of(program: str, subcommand: tuple[str, ...], arguments: Sequence[str]) -> str:
    """The act of one reading of a command line; "" when nothing is known against it."""
    table = _ACTS.get(program)
    if program in _INSTALLERS:
        found = _install(program, subcommand, arguments)
        if found:
            return found
    if program == "gh" and subcommand[:1] == ("api",):
        return _gh_api(arguments)
    if table is None:
        return ""
    for length in (2, 1, 0):
        act = table.get(subcommand[:length])
        if act is not None and len(subcommand) >= length:
            break
    else:
        return ""
    if act == "outward" and program in {"aws", "gcloud", "az"}:
        verb = subcommand[1:] if program == "aws" else subcommand
        if any(word.startswith(_CLOUD_READS) for word in verb[:3]):
            return ""
    return act


def _install(program: str, subcommand: tuple[str, ...], arguments: Sequence[str]) -> str:
    """Adding a package runs its install scripts; installing a lock file's content does not add."""
    words = subcommand[1:] if program == "uv" and subcommand[:1] == ("pip",) else subcommand
    if "--ignore-scripts" in arguments or "--dry-run" in arguments:
        return ""
    if words[:1] in {("install",), ("i",), ("add",)} and len(words) > 1:
        local = {"-r", "--requirement", "-e", "--editable"} & set(arguments)
        return "" if local else "install"
    return ""


def _gh_api(arguments: Sequence[str]) -> str:
    """`gh api` is a GET unless a method or a field says otherwise."""
    method = ""
    fields = False
    for index, word in enumerate(arguments):
        if word in {"-X", "--method"} and index + 1 < len(arguments):
            method = arguments[index + 1].upper()
        elif word.startswith("--method="):
            method = word.partition("=")[2].upper()
        elif word.startswith("-X"):
            method = word[2:].upper()
        elif word.startswith(("-f", "-F", "--field", "--raw-field", "--input")):
            fields = True
    method = method or ("POST" if fields else "GET")
    if method in {"GET", "HEAD"}:
        return ""
    return "outward" if method == "DELETE" else "post"
