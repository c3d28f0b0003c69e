"""`taskpass credential jwks`."""

from __future__ import annotations

import argparse
import json

from supervisor.cli.session import with_client


def main(words: list[str]) -> int:
    argparse.ArgumentParser(prog="taskpass credential jwks").parse_args(words)
    print(json.dumps(with_client(lambda client: client.jwks()), indent=2))
    return 0
