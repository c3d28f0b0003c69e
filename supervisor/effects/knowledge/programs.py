"""Kinds of programs that the shell reader treats specially.

A program that is missing here is still judged: it runs with `known = False`, and every
argument of it that names an existing file counts as read.
"""

from __future__ import annotations

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "rbash"})

INTERPRETERS = SHELLS | frozenset(
    {"python", "python2", "python3", "pypy", "pypy3", "perl", "ruby", "node", "nodejs", "deno"}
    | {"bun", "php", "lua", "luajit", "tclsh", "osascript", "Rscript", "julia", "eval", "source"}
    | {".", "xargs", "parallel"}
)

# Their output comes from somebody else's machine.
FETCHERS = frozenset(
    {"curl", "wget", "wget2", "http", "https", "xh", "aria2c", "fetch", "lynx", "w3m", "nc"}
    | {"ncat", "netcat", "socat", "ftp", "tftp"}
)

# `wrapper [options] program …`: the options that take a value, by wrapper.
WRAPPERS: dict[str, frozenset[str]] = {
    "command": frozenset(),
    "builtin": frozenset(),
    "exec": frozenset({"-a"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "time": frozenset({"-f", "--format", "-o", "--output"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "--class", "--classdata"}),
    "stdbuf": frozenset({"-i", "-o", "-e", "--input", "--output", "--error"}),
    "timeout": frozenset({"-s", "--signal", "-k", "--kill-after"}),
    "env": frozenset({"-u", "--unset", "-C", "--chdir", "-S", "--split-string"}),
    "xargs": frozenset(
        {"-I", "-n", "-P", "-L", "-d", "-E", "-s", "-a", "--max-args", "--max-procs"}
        | {"--delimiter", "--arg-file", "--replace", "--max-lines"}
    ),
    "busybox": frozenset(),
    "toybox": frozenset(),
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-T", "-r", "-t", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}),
    "watch": frozenset({"-n", "--interval"}),
    "flock": frozenset({"-w", "--timeout", "-E"}),
}

# Positional words of a wrapper that come before its program.
WRAPPER_OPERANDS = {"timeout": 1, "flock": 1}

# Arguments are text, names or metadata: an existing file among them is not read.
TEXTUAL = frozenset(
    {"echo", "printf", "test", "[", "[[", "ls", "stat", "find", "fd", "which", "type", "dirname"}
    | {"basename", "realpath", "readlink", "cd", "pushd", "popd", "true", "false", ":", "pwd"}
    | {"kill", "sleep", "seq", "export", "unset", "alias", "set", "local", "declare", "typeset"}
    | {"readonly", "exit", "return", "wait", "date", "whoami", "id", "uname", "hostname", "du"}
    | {"df", "tree", "file", "hash", "umask", "trap", "read", "shift", "break", "continue", "jobs"}
    | {"pgrep", "pkill", "killall", "man", "git-lfs", "exa", "eza", "mktemp", "tty", "clear"}
)

# Their first operand is a pattern or a program text, not a file.
PATTERN_FIRST = frozenset({"grep", "egrep", "fgrep", "rg", "ag", "sed", "awk", "gawk", "jq", "yq"})

# Remaining programs that are ordinary in a day of coding.
ORDINARY = frozenset(
    {"cat", "head", "tail", "less", "more", "wc", "sort", "uniq", "cut", "tr", "diff", "cmp"}
    | {"comm", "paste", "column", "nl", "tac", "rev", "fold", "fmt", "expand", "xxd", "od"}
    | {"hexdump", "strings", "md5sum", "sha1sum", "sha256sum", "sha512sum", "cksum", "base64"}
    | {"tee", "cp", "mv", "rm", "ln", "mkdir", "rmdir", "touch", "chmod", "chown", "install"}
    | {"rsync", "tar", "gzip", "gunzip", "zcat", "zip", "unzip", "xz", "bzip2", "zstd", "dd"}
    | {"truncate", "unlink", "patch", "split", "make", "cmake", "ninja", "just", "task", "git"}
    | {"gh", "hub", "glab", "npm", "npx", "pnpm", "pnpx", "yarn", "corepack", "vite", "vitest"}
    | {"jest", "mocha", "eslint", "prettier", "tsc", "tsx", "biome", "playwright", "turbo"}
    | {"webpack", "rollup", "esbuild", "next", "pip", "pip3", "uv", "uvx", "poetry", "pdm"}
    | {"hatch", "tox", "nox", "pytest", "ruff", "mypy", "black", "isort", "flake8", "pylint"}
    | {"pyright", "coverage", "cargo", "rustc", "rustup", "rustfmt", "clippy-driver", "go"}
    | {"gofmt", "golangci-lint", "javac", "java", "mvn", "gradle", "gradlew", "dotnet", "bundle"}
    | {"rake", "gem", "rspec", "rubocop", "composer", "phpunit", "gcc", "g++", "cc", "c++"}
    | {"clang", "clang++", "ld", "ar", "nm", "objdump", "shellcheck", "shfmt", "docker", "podman"}
    | {"kubectl", "helm", "terraform", "tofu", "aws", "gcloud", "az", "psql", "sqlite3", "mysql"}
    | {"redis-cli", "ps", "top", "lsof", "ss", "netstat", "dig", "host", "nslookup", "ping"}
    | {"openssl", "tmux", "screen", "ssh", "scp", "sftp"}
)

KNOWN = SHELLS | INTERPRETERS | FETCHERS | TEXTUAL | PATTERN_FIRST | ORDINARY | frozenset(WRAPPERS)

# Variables that make the next program load or run something else.
LOADING_VARIABLES = frozenset(
    {"PATH", "IFS", "BASH_ENV", "ENV", "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS", "PYTHONPATH"}
    | {"PYTHONSTARTUP", "PYTHONHOME", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT", "PERL5LIB"}
    | {"RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS", "EDITOR", "VISUAL", "PAGER", "BROWSER"}
    | {"RUSTC_WRAPPER", "CLASSPATH", "HOME"}
)
LOADING_PREFIXES = ("LD_", "DYLD_", "GIT_", "BASH_FUNC_", "CARGO_TARGET_")


def loads_code(variable: str) -> bool:
    """Whether setting `variable` can change which code the next program runs."""
    return variable in LOADING_VARIABLES or variable.startswith(LOADING_PREFIXES)
