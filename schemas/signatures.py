"""What the signature of a meter's container is worth, as records and CDRs say it."""

from typing import Literal

from msgspec import Struct

Validity = Literal["valid", "invalid", "unverifiable"]


class SignatureVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    container: str
    """sha256 of the text that carries it, as the station sent it."""
    validity: Validity
    """Unverifiable: no key is registered for its meter, or its format or curve is not known."""
    meter: str = ""
    key: str = ""
    """sha256 of the public key (DER) that was used."""
    public_key: str = ""
    """That key itself: its DER in base64."""
