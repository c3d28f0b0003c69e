"""The demo's tool, `./desk METHOD PATH`: a client of the support desk's API.

An ordinary program: it knows nothing of taskpass. It sends the token it finds in its
environment, goes through the proxy it is told, and trusts the certificates it is told.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    base, method, path = sys.argv[1:4]
    body = json.dumps({"text": "We have corrected the invoice."}).encode()
    request = urllib.request.Request(  # noqa: S310 - the address is a constant of the demo
        base + path,
        method=method,
        data=body if method == "POST" else None,
        headers={"authorization": f"Bearer {os.environ.get('API_TOKEN', '')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=600) as response:  # noqa: S310
            # Not line by line: that takes a body which was cut for a whole one.
            while piece := response.read1():
                print(piece.decode(), end="", flush=True)
    except urllib.error.HTTPError as error:
        print(_explained(error.read(), f"HTTP {error.code}"))
        return 1
    except (OSError, http.client.HTTPException):
        print("the connection was cut")
        return 1
    return 0


def _explained(body: bytes, otherwise: str) -> str:
    try:
        told = json.loads(body)
        return f"{told['message']} {told.get('hint', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return otherwise


if __name__ == "__main__":
    sys.exit(main())
