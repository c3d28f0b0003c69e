"""How long a secret is, in characters."""

from __future__ import annotations

# Below this a stand-in could be met by chance, and masking it would eat ordinary text.
SHORTEST = 8
LONGEST = 8192
