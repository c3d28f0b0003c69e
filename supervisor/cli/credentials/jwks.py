"""`taskpass credential jwks`."""

from __future__ import annotations

import argparse
import json

from supervisor.cli.session import with_client


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="taskpass credential jwks", description="Public keys for who verifies our tokens."
    )


def main(words: list[str]) -> int:
    parser().parse_args(words)
    print(json.dumps(with_client(lambda client: client.jwks()), indent=2))
    return 0
