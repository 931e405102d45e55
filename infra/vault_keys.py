"""The keys of the vault. They are kept apart from its rows and are backed up separately.

With the rows alone no secret can be read and no password tried.
"""

import base64
import hmac
from dataclasses import dataclass

from cryptography.fernet import Fernet


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VaultKeys:
    pepper: bytes
    """Keys the verifiers of station passwords."""
    digest: bytes
    """Keys the digests that the journal holds of secrets."""
    fernet: Fernet
    """Encrypts what must be handed out again."""


def derive(*, pepper: bytes, vault: bytes) -> VaultKeys:
    """Return the keys of a deployment whose two key files hold these random bytes."""
    encryption = hmac.digest(vault, b"chargeledger vault encryption", "sha256")
    return VaultKeys(
        pepper=pepper,
        digest=hmac.digest(vault, b"chargeledger vault digest", "sha256"),
        fernet=Fernet(base64.urlsafe_b64encode(encryption)),
    )
