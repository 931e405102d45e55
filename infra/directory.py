"""Who may connect, answered from memory: the registry's fold and the verifiers of passwords."""

from collections.abc import Callable

from domain.registry import Registry
from ingress.ports import UNKNOWN, Admission, NotAtHand
from schemas.attributes import is_blocked
from schemas.journal import Unavailable
from schemas.switches import switches_of

SECRET = "secret:"
"""The attribute of a registration that keeps its station out."""


class RegistryDirectory:
    """`ingress.ports.Directory`."""

    def __init__(
        self,
        registry: Registry,
        verifier: Callable[[str], str | None],
        is_folded: Callable[[], bool] = lambda: True,
    ) -> None:
        """`verifier` returns what is kept under a secret's id, or None if it is not at hand.

        `is_folded`: whether all that is registered is in `registry`; until then nobody is refused
        for being in none.
        """
        self._registry = registry
        self._verifier = verifier
        self._is_folded = is_folded

    def admission(self, tenant: str, station: str) -> Admission:
        if not self._is_folded():
            raise Unavailable("the registry is folded anew")
        registered = self._registry.stations.get((tenant, station))
        if registered is None:
            return UNKNOWN
        switches = switches_of(registered.attributes)
        credentials = [registered.credential] if registered.credential else []
        offers = self._registry.offers.get((tenant, station))
        if offers:
            credentials += [offer.credential for offer in offers.values()]
        return Admission(
            registered=True,
            verifiers=tuple(self._verifier_of(credential) for credential in credentials),
            credentials=tuple(credentials),
            may_come_without=not registered.credential,
            refused="blocked" if is_blocked(registered.attributes) else "",
            switches=switches,
        )

    def _verifier_of(self, credential: str) -> str:
        verifier = self._verifier(credential.removeprefix(SECRET))
        if verifier is None:
            raise NotAtHand("the station's password cannot be checked now")
        return verifier
