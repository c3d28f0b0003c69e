"""Which requests are the same kind of request: a path with what merely names one thing left out.

`/repos/9/pulls/17/files` and `/repos/9/pulls/18/files` are one route. Nothing is decided by it: it
tells which uses of a lease are repetitions of one that is on record already.
"""

from __future__ import annotations

import re
from functools import lru_cache

PLACE = "‹id›"  # stands in no path: they are ASCII

# Numbers; UUIDs (RFC 9562) and hex digests; long words with digits in them, as keys and tokens are.
_NAME = re.compile(
    r"[0-9]+"
    r"|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
    r"|(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{7,}"
    r"|(?=[^0-9]*[0-9])[0-9A-Za-z_=-]{20,}"
)


@lru_cache(1024)
def route_of(path: str) -> str:
    """`path` (no query) with each segment that is an identifier replaced by `PLACE`."""
    return "/".join([PLACE if _NAME.fullmatch(part) else part for part in path.split("/")])
