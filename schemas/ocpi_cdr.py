"""What OCPI says a CDR must look like, as rules: lengths, enumerations, numbers, times.

2.2.1 and 2.3.0 differ in how prices and taxes are told; all else is common. Only what ChargeLedger
sends is here: a member that is not named is refused, so that nothing is sent unchecked. The numbers
are of 4 decimals (OCPI, types: number), times are UTC with Z and at most 25 characters (DateTime).
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

Version = Literal["2.2.1", "2.3.0"]

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,4})?Z", re.ASCII)
_DECIMALS = 4


def _utc(value: str) -> str:
    if not _DATE_TIME.fullmatch(value):
        raise ValueError("no DateTime of OCPI: UTC with Z, at most 25 characters")
    return value


def _ascii(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("no CiString: printable ASCII only")
    return value


def _four_decimals(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DECIMALS:
        raise ValueError("more than 4 decimals")
    return value


DateTime = Annotated[str, Field(max_length=25), AfterValidator(_utc)]
Number = Annotated[Decimal, AfterValidator(_four_decimals)]
Volume = Annotated[Number, Field(ge=0)]
Ci2 = Annotated[str, Field(min_length=2, max_length=2), AfterValidator(_ascii)]
Ci3 = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_ascii)]
Ci36 = Annotated[str, Field(min_length=1, max_length=36), AfterValidator(_ascii)]
Ci39 = Annotated[str, Field(min_length=1, max_length=39), AfterValidator(_ascii)]
Ci48 = Annotated[str, Field(min_length=1, max_length=48), AfterValidator(_ascii)]
Text255 = Annotated[str, Field(max_length=255)]


class Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Price221(Rules):
    excl_vat: Number
    incl_vat: Number | None = None


class TaxAmount(Rules):
    name: Annotated[str, Field(min_length=1, max_length=255)]
    percentage: Number | None = None
    amount: Number


class Price230(Rules):
    before_taxes: Number
    taxes: list[TaxAmount] = []


class Token(Rules):
    country_code: Ci2
    party_id: Ci3
    uid: Ci36
    type: Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"]
    contract_id: Ci36


class Token230(Rules):
    country_code: Ci2
    party_id: Ci3
    uid: Ci36
    type: Literal["AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID"]
    contract_id: Ci36


class GeoLocation(Rules):
    latitude: Annotated[str, Field(pattern=r"^-?[0-9]{1,2}\.[0-9]{5,7}$")]
    longitude: Annotated[str, Field(pattern=r"^-?[0-9]{1,3}\.[0-9]{5,7}$")]


class CdrLocation(Rules):
    id: Ci36
    name: Text255 | None = None
    address: Annotated[str, Field(min_length=1, max_length=45)]
    city: Annotated[str, Field(min_length=1, max_length=45)]
    postal_code: Annotated[str | None, Field(max_length=10)] = None
    state: Annotated[str | None, Field(max_length=20)] = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    coordinates: GeoLocation
    evse_uid: Ci36
    evse_id: Ci48
    connector_id: Ci36
    connector_standard: Literal[
        "CHADEMO",
        "CHAOJI",
        "DOMESTIC_A",
        "DOMESTIC_B",
        "DOMESTIC_C",
        "DOMESTIC_D",
        "DOMESTIC_E",
        "DOMESTIC_F",
        "DOMESTIC_G",
        "DOMESTIC_H",
        "DOMESTIC_I",
        "DOMESTIC_J",
        "DOMESTIC_K",
        "DOMESTIC_L",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "IEC_60309_2_single_16",
        "IEC_60309_2_three_16",
        "IEC_60309_2_three_32",
        "IEC_60309_2_three_64",
        "IEC_62196_T1",
        "IEC_62196_T1_COMBO",
        "IEC_62196_T2",
        "IEC_62196_T2_COMBO",
        "IEC_62196_T3A",
        "IEC_62196_T3C",
        "MCS",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
        "PANTOGRAPH_BOTTOM_UP",
        "PANTOGRAPH_TOP_DOWN",
        "SAE_J3400",
        "TESLA_R",
        "TESLA_S",
    ]
    connector_format: Literal["SOCKET", "CABLE"]
    connector_power_type: Literal[
        "AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"
    ]


class Dimension(Rules):
    type: Literal["ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME"]
    volume: Volume


class ChargingPeriod(Rules):
    start_date_time: DateTime
    dimensions: Annotated[list[Dimension], Field(min_length=1)]
    tariff_id: Ci36 | None = None


class SignedValue(Rules):
    nature: Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_ascii)]
    plain_data: Annotated[str, Field(max_length=512)]
    signed_data: Annotated[str, Field(min_length=1, max_length=5000)]


class SignedData(Rules):
    encoding_method: Ci36
    public_key: Annotated[str | None, Field(max_length=512)] = None
    signed_values: Annotated[list[SignedValue], Field(min_length=1)]
    url: Annotated[str | None, Field(max_length=512)] = None


class _Cdr(Rules):
    country_code: Ci2
    party_id: Ci3
    id: Ci39
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: Ci36 | None = None
    auth_method: Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
    cdr_location: CdrLocation
    meter_id: Text255 | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    tariffs: list[dict[str, Any]] = []
    """Checked when they were registered."""
    charging_periods: Annotated[list[ChargingPeriod], Field(min_length=1)]
    signed_data: SignedData | None = None
    total_energy: Volume
    total_time: Volume
    total_parking_time: Volume | None = None
    remark: Text255 | None = None
    credit: bool | None = None
    credit_reference_id: Ci39 | None = None
    last_updated: DateTime

    @model_validator(mode="after")
    def _agrees(self) -> "_Cdr":
        if bool(self.credit) != (self.credit_reference_id is not None):
            raise ValueError("credit and credit_reference_id come together")
        if not self.credit and len(self.id) > 36:
            raise ValueError("the id of a CDR that is no credit has at most 36 characters")
        if _moment(self.end_date_time) < _moment(self.start_date_time):
            raise ValueError("it ends before it starts")
        begins = [_moment(period.start_date_time) for period in self.charging_periods]
        if begins != sorted(begins) or begins[0] != _moment(self.start_date_time):
            raise ValueError("the periods do not follow each other from the start")
        self._adds_up()
        return self

    def _adds_up(self) -> None:
        told = {kind: Decimal(0) for kind in ("ENERGY", "TIME", "PARKING_TIME")}
        for period in self.charging_periods:
            for dimension in period.dimensions:
                if dimension.type in told:
                    told[dimension.type] += dimension.volume
        if told["ENERGY"] != self.total_energy:
            raise ValueError("the periods do not add up to total_energy")
        if told["PARKING_TIME"] != (self.total_parking_time or 0):
            raise ValueError("the periods do not add up to total_parking_time")
        if told["TIME"] + told["PARKING_TIME"] > self.total_time:
            raise ValueError("the periods are longer than total_time")


class Cdr221(_Cdr):
    cdr_token: Token
    total_cost: Price221
    total_fixed_cost: Price221 | None = None
    total_energy_cost: Price221 | None = None
    total_time_cost: Price221 | None = None
    total_parking_cost: Price221 | None = None
    total_reservation_cost: Price221 | None = None


class Cdr230(_Cdr):
    cdr_token: Token230
    total_cost: Price230
    total_fixed_cost: Price230 | None = None
    total_energy_cost: Price230 | None = None
    total_time_cost: Price230 | None = None
    total_parking_cost: Price230 | None = None
    total_reservation_cost: Price230 | None = None


_RULES: dict[Version, type[Cdr221 | Cdr230]] = {"2.2.1": Cdr221, "2.3.0": Cdr230}


def violation(version: Version, document: dict[str, Any]) -> str:
    """Return which rule a document breaks first, for people; empty: none."""
    try:
        _RULES[version].model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return ""


def _moment(text: str) -> tuple[str, str]:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return whole, fraction.ljust(_DECIMALS, "0")
