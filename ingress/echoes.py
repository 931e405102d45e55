"""The secrets that a connection was told, wherever its station says them again.

A password that is set stands in the CALL on its way out only, and a station may give it back in
whatever it likes: an error's text, a member of its own, our CALL itself. Where the names beside
them tell secrets, `ingress.redaction` finds those of earlier connections, too.
"""

import json
import re
from collections.abc import Callable

KEPT_MAX = 16
"""Of one connection, the newest; others wait for the names beside them."""

CHARACTERS_MIN = 4
"""No password and no PIN is shorter, and a word that is may be anything."""

TELLING_CHARACTERS_MIN = 8
"""Of a word that means nothing else. Shorter ones and numbers may be a reading: they are looked for
where no energy is told, and only as a whole."""


class Echoes:
    def __init__(self, digest: Callable[[str], str]) -> None:
        self._digest = digest
        self._told: dict[str, tuple[re.Pattern[str], bool]] = {}

    def add(self, secret: str) -> None:
        if len(secret) < CHARACTERS_MIN:
            return
        is_telling = len(secret) >= TELLING_CHARACTERS_MIN and not secret.isdecimal()
        written = {secret, *(json.dumps(secret, ensure_ascii=each)[1:-1] for each in (True, False))}
        words = "|".join(re.escape(each) for each in sorted(written, key=len, reverse=True))
        pattern = words if is_telling else rf"(?<![\w.-])(?:{words})(?![\w.-])"
        self._told.pop(secret, None)
        self._told[secret] = re.compile(pattern), is_telling
        if len(self._told) > KEPT_MAX:
            del self._told[next(iter(self._told))]

    def without(self, text: str, *, is_money: bool) -> tuple[str, int]:
        """Return the text with the secrets in it replaced, and how many were.

        `is_money`: it tells energy, so that numbers in it are not looked at.
        """
        count = 0
        for secret, (pattern, is_telling) in self._told.items():
            if is_money and not is_telling:
                continue
            mark = f"redacted:{self._digest(secret)}"
            if secret.isdecimal():
                bare = rf"([:\[,]\s*){secret}(?=\s*[,\]}}])"
                text, found = re.subn(bare, rf'\1"{mark}"', text)
                count += found
            text, found = pattern.subn(mark, text)
            count += found
        return text, count
