"""Requests of stations to have a certificate signed (2.0.1, A02; 1.6 security extension). Pure.

Nobody here signs. Where somebody does, the station is told Accepted, and its request waits, as the
API shows it, until a CertificateSigned is commanded; elsewhere it is told Rejected and keeps the
certificate that it has.
"""

from domain.answering import Context

ATTRIBUTE = "certificate_requests"
"""Of a registration: `accept` or `refuse`, whatever is set for all."""

ACCEPT, REFUSE = "accept", "refuse"


def sign_certificate(c: Context) -> str:
    return '{"status":"Accepted"}' if _is_signed(c) else '{"status":"Rejected"}'


def _is_signed(c: Context) -> bool:
    registered = c.registry.stations.get((c.station.tenant, c.station.station))
    wanted = registered.attributes.get(ATTRIBUTE) if registered is not None else None
    if wanted in (ACCEPT, REFUSE):
        return bool(wanted == ACCEPT)
    return c.policy.accept_certificate_requests
