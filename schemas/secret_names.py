"""Which variables and configuration keys hold secrets, by their names.

Their values are kept nowhere but in the vault.
"""

import re

_SECRET = re.compile(
    r"authorization.?key|passw(or)?d|passphrase|secret|private.?key|api.?key|\bpsk\b|credential"
    r"|\bpin\b|simpin",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether a value under this name is to be treated as a secret; in doubt it is."""
    return _SECRET.search(name) is not None
