"""What ingress needs of others: the log, who may connect, and secrets on their way out."""

from typing import Protocol

from msgspec import Struct

from schemas.journal import Unavailable
from schemas.records import Record
from schemas.switches import NONE, Switches


class Log(Protocol):
    """The journal, one step away: it knows partitions and incarnations."""

    def post(self, record: Record, payload: object = None) -> None:
        """Take the record to be written soon, in the order of the calls for this station.

        `payload` is what `schemas.frames.payload_of` would read of a MessageReceived, so that an
        owner in this process need not parse again.

        Raises:
            Unavailable: it was not taken. Post it again later, or never.
        """
        ...

    async def append(self, record: Record) -> None:
        """Return once the record is durable, in order with what was posted.

        Raises:
            Unavailable: it is not in the log.
            AppendUnknown: it may be.
        """
        ...

    def accepts(self, tenant: str, station: str) -> bool:
        """Tell whether the station's partition can be written; if not, its handshakes get 503."""
        ...


class Admission(Struct, frozen=True):
    """What is known of a station that wants to connect."""

    registered: bool
    verifiers: tuple[str, ...] = ()
    """Of its passwords (`schemas.credentials`); more than one while a change is under way."""
    credentials: tuple[str, ...] = ()
    """"secret:<id>" of each of them, for the record."""
    may_come_without: bool = False
    """It needs none yet: the only ones there are have been offered to it."""
    refused: str = ""
    """Why it may not connect whatever it presents; empty if it may."""
    switches: Switches = NONE


UNKNOWN = Admission(registered=False)


class NotAtHand(Unavailable):
    """What a handshake needs is known, and will be here within a moment."""


class Directory(Protocol):
    def admission(self, tenant: str, station: str) -> Admission:
        """Return what is known now, from memory.

        Raises:
            Unavailable: not known yet; the station shall come again.
            NotAtHand: it may be asked again within a second.
        """
        ...


class Secrets(Protocol):
    def digest(self, secret: str) -> str:
        """Return what tells two secrets apart and says nothing to who has no key."""
        ...

    async def reveal(self, secret_id: str) -> str:
        """Return the secret.

        Raises:
            Unavailable: it cannot be read now.
            KeyError: there is no such secret.
        """
        ...
