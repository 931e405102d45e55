"""Names that everybody reads alike: of tenants and stations, in URLs, records and keys.

At most 48 characters and no colon (OCPP 2.0.1, part 4, 3.1.1); nothing that a URL, a path or two
normal forms of Unicode could make ambiguous. Case is kept and counts.
"""

import unicodedata

NAME_CHARACTERS_MAX = 48


def is_name(text: str) -> bool:
    return (
        0 < len(text) <= NAME_CHARACTERS_MAX
        and text.isprintable()
        and not any(character in ":/\\%" for character in text)
        and text.strip(" ") == text
        and text not in {".", ".."}
        and unicodedata.normalize("NFC", text) == text
    )
