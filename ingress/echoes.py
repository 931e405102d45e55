"""The secrets that a connection was told, wherever its station says them again.

A password that is set stands in the CALL on its way out only, and a station may give it back in
whatever it likes: an error's text, a member of its own, our CALL itself. Where the names beside
them tell secrets, `ingress.redaction` finds those of earlier connections, too.

Looked at are texts that are values. What makes a frame one (its id, its action, names of members,
numbers, true and false) stays as it is: a PIN is also a number that means something else.
"""

import re
from collections.abc import Callable
from typing import Any

KEPT_MAX = 64
"""Of one connection, the newest; others wait for the names beside them."""

CHARACTERS_MIN = 4
TELLING_CHARACTERS_MIN = 8
"""Of a word that means nothing else. Shorter ones, and numbers, are looked for as whole words where
neither energy nor a person is told; without a digit they are words of a language."""

_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|/)")
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")

_Sought = tuple[str, re.Pattern[str]]


def _length(sought: _Sought) -> int:
    return len(sought[0])


class Echoes:
    def __init__(self, digest: Callable[[str], str]) -> None:
        self._digest = digest
        self._told: dict[str, re.Pattern[str]] = {}
        self._words: dict[str, re.Pattern[str]] = {}
        self._telling: list[_Sought] = []
        self._all: list[_Sought] = []

    def add(self, secret: str) -> None:
        is_telling = len(secret) >= TELLING_CHARACTERS_MIN and not secret.isdecimal()
        has_digit = any(character.isdecimal() for character in secret)
        if not is_telling and (len(secret) < CHARACTERS_MIN or not has_digit):
            return
        found, word = (self._told, "{}") if is_telling else (self._words, r"(?<!\w){}(?!\w)")
        found.pop(secret, None)
        found[secret] = re.compile(word.format(re.escape(secret)), re.IGNORECASE)
        if len(found) > KEPT_MAX:
            del found[next(iter(found))]
        # The longest first: another may stand in it.
        self._telling = sorted(self._told.items(), key=_length, reverse=True)
        self._all = sorted({**self._words, **self._told}.items(), key=_length, reverse=True)

    def in_text(self, text: str, *, is_telling_only: bool = False) -> tuple[str, int]:
        """Return the text with the secrets in it replaced, and how many were."""
        count = 0
        for secret, pattern in self._telling if is_telling_only else self._all:
            text, found = pattern.subn(self._mark(secret), text)
            count += found
        return text, count

    def in_payload(self, payload: Any, *, is_telling_only: bool) -> tuple[Any, int]:
        """The same of all texts that are values in what was parsed."""
        if isinstance(payload, str):
            return self.in_text(payload, is_telling_only=is_telling_only)
        if not isinstance(payload, (dict, list)):
            return payload, 0
        places = payload.items() if isinstance(payload, dict) else enumerate(payload)
        masked, count = payload.copy(), 0
        for place, value in places:
            masked[place], found = self.in_payload(value, is_telling_only=is_telling_only)
            count += found
        return masked, count

    def in_unread(self, text: str) -> tuple[str, int]:
        """The same of what nobody could read as JSON, however its characters are escaped."""
        plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "/", text)
        new, count = self.in_text(plain)
        return (new, count) if count else (text, 0)

    def in_bytes(self, data: bytes) -> tuple[bytes, int]:
        """The same of a message that is no text."""
        count = 0
        for secret, _ in self._telling:
            for encoding in _ENCODINGS:
                word = secret.encode(encoding)
                count += data.count(word)
                data = data.replace(word, self._mark(secret).encode(encoding))
        return data, count

    def _mark(self, secret: str) -> str:
        return f"redacted:{self._digest(secret)}"
