"""Transaction ids for OCPP 1.6: positive, inside int32, unpredictable, never given twice.

An id is a secret permutation of a counter, so uniqueness needs no look-up in a history that grows,
and a neighbour's id tells nothing about one's own. The permutation is a four-round Feistel network
over 32 bits, walked until it falls into 1 … 2³¹ - 1 (OCPP 1.6 errata 3.54: unique and positive).
"""

from hashlib import blake2b

ID_MAX = 2**31 - 1
_ROUNDS = range(4)


class TransactionIds:
    def __init__(self, key: bytes, share: int = 0, shares: int = 1) -> None:
        """Of the ids of a key, `shares` owners give disjoint ones; each has a share from 0 on."""
        self.counters = (ID_MAX - 1 - share) // shares + 1
        """How many ids there are in the share."""
        self._share = share
        self._shares = shares
        keys = (blake2b(bytes([i]), key=key[:64], digest_size=16).digest() for i in _ROUNDS)
        self._rounds = [blake2b(key=key, digest_size=2) for key in keys]

    def id_of(self, counter: int) -> int:
        """Return the id of a counter from 0 to below `counters`."""
        value = counter * self._shares + self._share
        while True:
            left, right = value >> 16, value & 0xFFFF
            for keyed in self._rounds:
                left, right = right, left ^ _scramble(keyed, right)
            value = left << 16 | right
            if 1 <= value <= ID_MAX:
                return value

    def counter_of(self, transaction_id: int) -> int:
        """Return the counter that `id_of` turned into this id."""
        value = transaction_id
        while True:
            left, right = value >> 16, value & 0xFFFF
            for keyed in reversed(self._rounds):
                left, right = right ^ _scramble(keyed, left), left
            value = left << 16 | right
            if 0 <= value < ID_MAX:
                return value // self._shares


def _scramble(keyed: blake2b, half: int) -> int:
    # A copy of a hash that knows its key is cheaper than a new one.
    hashed = keyed.copy()
    hashed.update(half.to_bytes(2, "big"))
    return int.from_bytes(hashed.digest(), "big")
