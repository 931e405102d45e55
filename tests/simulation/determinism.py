"""Everything that production code takes from outside a run, taken from the run's seed instead.

Random names, jitter and the wall clock are read through module attributes; they are exchanged for
the length of a run and put back. No code under test has a switch for it.
"""

import faulthandler
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import ingress.server
from infra import clock, domain_node, journal_identity
from ingress.connection import Connection
from tests.simulation.group import GroupMember


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def determined(seed: int, now_us: Callable[[], int]) -> Iterator[None]:
    """Within this block only the seed decides."""
    names = Random(f"{seed} names")

    def token_hex(nbytes: int = 32) -> str:
        return names.randbytes(nbytes).hex()

    def jitter(*_: Any) -> Random:
        return Random(names.random())

    def now() -> datetime:
        raise AssertionError("nothing that is simulated reads the date")

    state = random.getstate()
    random.seed(seed)
    with ExitStack() as stack:
        stack.callback(random.setstate, state)
        for owner, name, value in (
            (secrets, "token_hex", token_hex),
            (ingress.server, "Random", jitter),
            (clock, "now_us", now_us),
            (clock, "now", now),
            (journal_identity, "uuid4", lambda: UUID(bytes=names.randbytes(16))),
            (journal_identity, "now_us", lambda: 0),
            (domain_node, "Assignment", GroupMember),
            # Sets of them are walked in the order of their hashes, which are addresses otherwise.
            (Connection, "__hash__", lambda connection: connection.order),
            (faulthandler, "dump_traceback_later", lambda *_, **__: None),
        ):
            stack.enter_context(replaced(owner, name, value))
        yield
