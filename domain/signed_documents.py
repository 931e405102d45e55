"""What a CDR says of the signed meter values of its transaction."""

from domain.metering import Wh
from domain.readings import whole
from domain.signed_values import SignedEnergy, SignedValue, digest
from domain.transaction import Transaction
from schemas.cdr import CdrSigned, CdrSignedValue


def signed_document(
    t: Transaction, partition: int, signed: SignedEnergy, reported_wh: Wh | None
) -> CdrSigned | None:
    """None: nothing was signed, and nothing had to be."""
    if not t.signed and not t.is_calibrated:
        return None
    energy = None if signed.energy_wh is None else str(whole(signed.energy_wh))
    reported = None if reported_wh is None else str(reported_wh)
    return CdrSigned(
        energy_wh=energy,
        is_energy=t.is_calibrated,
        reported_wh=reported_wh,
        cross_check_wh=reported if t.is_calibrated else energy,
        paginations=signed.paginations,
        judged=f"{partition}:{t.judged}" if t.judged >= 0 else None,
        values=tuple(_value(t, partition, value) for value in t.signed),
    )


def _value(t: Transaction, partition: int, value: SignedValue) -> CdrSignedValue:
    sha256 = digest(value.text)
    verdict = t.verdicts.get(sha256)
    return CdrSignedValue(
        position=f"{partition}:{value.offset}",
        path=value.path,
        sha256=sha256,
        validity=verdict.validity if verdict is not None else None,
        meter=verdict.meter if verdict is not None else "",
        key=verdict.key if verdict is not None else "",
        public_key=verdict.public_key if verdict is not None else "",
    )
