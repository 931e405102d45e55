-- Money on CDRs, credits and replacements, and what people decide about CDRs.

ALTER TABLE read.cdrs DROP CONSTRAINT cdrs_state_check;
ALTER TABLE read.cdrs
    ADD CONSTRAINT cdrs_state_check CHECK (state IN ('OPEN', 'HELD', 'FINAL', 'REJECTED')),
    ADD COLUMN holds text[] NOT NULL DEFAULT '{}',
    ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'original',
    ADD COLUMN sequence integer NOT NULL DEFAULT 0,
    ADD COLUMN credit_reference_id uuid,
    ADD COLUMN replaces uuid,
    ADD COLUMN currency text,
    ADD COLUMN cost_excl numeric,
    ADD COLUMN cost_incl numeric,
    ADD COLUMN cost_excl_exact text,
    ADD COLUMN cost_incl_exact text,
    ADD COLUMN tariff_id text,
    ADD COLUMN parking_s numeric;
CREATE INDEX cdrs_work ON read.cdrs (tenant, partition, record_offset) WHERE state = 'HELD';
CREATE INDEX cdrs_credited ON read.cdrs (credit_reference_id) WHERE credit_reference_id IS NOT NULL;
CREATE INDEX cdrs_of_transaction ON read.cdrs (tenant, station, transaction_id);

CREATE TABLE read.cdr_requests (
    tenant text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    cdr_id text COLLATE "C" NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    idempotency_key text NOT NULL,
    request_digest text NOT NULL,
    energy_wh bigint,
    ended_at bigint,
    tariff_id text NOT NULL,
    fate text COLLATE "C" NOT NULL,
    refusal text NOT NULL,
    result text[] NOT NULL,
    requested_offset bigint NOT NULL,
    requested_at bigint NOT NULL,
    decided_at bigint,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX cdr_requests_of_cdr ON read.cdr_requests (tenant, cdr_id, requested_offset);

DROP VIEW billing.cdrs;
CREATE VIEW billing.cdrs AS
SELECT
    id, revision, state, tenant, station, evse, connector, transaction_id, id_token,
    timestamptz 'epoch' + started_at * interval '1 microsecond' AS started_at,
    timestamptz 'epoch' + ended_at * interval '1 microsecond' AS ended_at,
    meter_start_wh, meter_stop_wh, energy_wh, energy_lower_wh, energy_upper_wh,
    stop_reason, flags, holds, kind, sequence, credit_reference_id, replaces,
    currency, cost_excl, cost_incl, cost_excl_exact, cost_incl_exact, tariff_id, parking_s,
    positions, partition, record_offset, record_index, body, sha256
FROM read.cdrs;

COMMENT ON VIEW billing.cdrs IS
'Charge detail records. Bill FINAL ones only: they are released and never change. OPEN ones may
change, HELD ones wait for a person. A credit gives the CDR that it names back, a replacement stands
in its place. To follow them, keep for each partition the highest (record_offset, record_index) read
and ask for what is above: a CDR that changed moves there.';
COMMENT ON COLUMN billing.cdrs.id IS 'The same in every rebuild.';
COMMENT ON COLUMN billing.cdrs.revision IS 'Counts the records that changed it, from 1.';
COMMENT ON COLUMN billing.cdrs.state IS 'OPEN, HELD, FINAL or REJECTED (by a person).';
COMMENT ON COLUMN billing.cdrs.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.cdrs.station IS 'The charging station''s identity.';
COMMENT ON COLUMN billing.cdrs.evse IS 'The EVSE; in OCPP 1.6 the connectorId.';
COMMENT ON COLUMN billing.cdrs.connector IS 'The connector of the EVSE.';
COMMENT ON COLUMN billing.cdrs.transaction_id IS 'As the station knows it.';
COMMENT ON COLUMN billing.cdrs.id_token IS 'The token that started it, as the station wrote it.';
COMMENT ON COLUMN billing.cdrs.started_at IS 'By the station''s clock; null if it gave no time.';
COMMENT ON COLUMN billing.cdrs.ended_at IS 'By the station''s clock; null while open or unknown.';
COMMENT ON COLUMN billing.cdrs.meter_start_wh IS 'The register at the start, Wh; null: unknown.';
COMMENT ON COLUMN billing.cdrs.meter_stop_wh IS 'The register at the end, Wh; null: unknown.';
COMMENT ON COLUMN billing.cdrs.energy_wh IS 'Wh; null is unknown, never zero. A credit''s is not negative: sum over billing.cdr_net.';
COMMENT ON COLUMN billing.cdrs.energy_lower_wh IS 'While the energy is unknown: at least this.';
COMMENT ON COLUMN billing.cdrs.energy_upper_wh IS 'While the energy is unknown: at most this.';
COMMENT ON COLUMN billing.cdrs.stop_reason IS 'As the station gave it.';
COMMENT ON COLUMN billing.cdrs.flags IS 'What was seen, sorted; docs/cdr.md.';
COMMENT ON COLUMN billing.cdrs.holds IS 'Of the flags those that hold it, or that a person has overruled.';
COMMENT ON COLUMN billing.cdrs.kind IS 'original, credit or replacement.';
COMMENT ON COLUMN billing.cdrs.sequence IS 'Counts the documents of a transaction from 0.';
COMMENT ON COLUMN billing.cdrs.credit_reference_id IS 'Of a credit: the CDR that it gives back.';
COMMENT ON COLUMN billing.cdrs.replaces IS 'Of a replacement: the CDR in whose place it stands.';
COMMENT ON COLUMN billing.cdrs.currency IS 'ISO 4217; null: not priced.';
COMMENT ON COLUMN billing.cdrs.cost_excl IS 'Excluding tax, rounded once; negative in a credit.';
COMMENT ON COLUMN billing.cdrs.cost_incl IS 'Including tax, rounded once; negative in a credit.';
COMMENT ON COLUMN billing.cdrs.cost_excl_exact IS 'Before rounding; ten digits where no decimal ends it.';
COMMENT ON COLUMN billing.cdrs.cost_incl_exact IS 'Before rounding; ten digits where no decimal ends it.';
COMMENT ON COLUMN billing.cdrs.tariff_id IS 'The tariff that priced it; its snapshot is in the body.';
COMMENT ON COLUMN billing.cdrs.parking_s IS 'Seconds in which the vehicle asked for no power.';
COMMENT ON COLUMN billing.cdrs.positions IS 'The records it was made from: role → partition:offset.';
COMMENT ON COLUMN billing.cdrs.partition IS 'Journal partition of the record of this revision.';
COMMENT ON COLUMN billing.cdrs.record_offset IS 'Its offset.';
COMMENT ON COLUMN billing.cdrs.record_index IS 'Tells apart CDRs changed by one record.';
COMMENT ON COLUMN billing.cdrs.body IS 'The canonical JSON; of a FINAL one the released document.';
COMMENT ON COLUMN billing.cdrs.sha256 IS 'Of the body, hexadecimal.';

CREATE VIEW billing.cdr_net AS
SELECT
    id, tenant, station, evse, connector, transaction_id, id_token, kind, sequence,
    timestamptz 'epoch' + started_at * interval '1 microsecond' AS started_at,
    timestamptz 'epoch' + ended_at * interval '1 microsecond' AS ended_at,
    energy_wh, currency, cost_excl, cost_incl, cost_excl_exact, cost_incl_exact, tariff_id,
    parking_s, partition, record_offset, record_index
FROM read.cdrs AS c
WHERE state = 'FINAL' AND kind <> 'credit'
    AND NOT EXISTS (SELECT FROM read.cdrs AS credit WHERE credit.credit_reference_id = c.id);

COMMENT ON VIEW billing.cdr_net IS
'Released CDRs that stand: originals and replacements without those that a credit gave back. Each
session counts once here; sum energy and money over this view.';
COMMENT ON COLUMN billing.cdr_net.id IS 'As in billing.cdrs.';
COMMENT ON COLUMN billing.cdr_net.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.cdr_net.station IS 'The charging station''s identity.';
COMMENT ON COLUMN billing.cdr_net.evse IS 'The EVSE; in OCPP 1.6 the connectorId.';
COMMENT ON COLUMN billing.cdr_net.connector IS 'The connector of the EVSE.';
COMMENT ON COLUMN billing.cdr_net.transaction_id IS 'As the station knows it.';
COMMENT ON COLUMN billing.cdr_net.id_token IS 'The token that started it.';
COMMENT ON COLUMN billing.cdr_net.kind IS 'original or replacement.';
COMMENT ON COLUMN billing.cdr_net.sequence IS 'Counts the documents of a transaction from 0.';
COMMENT ON COLUMN billing.cdr_net.started_at IS 'By the station''s clock.';
COMMENT ON COLUMN billing.cdr_net.ended_at IS 'By the station''s clock.';
COMMENT ON COLUMN billing.cdr_net.energy_wh IS 'Wh.';
COMMENT ON COLUMN billing.cdr_net.currency IS 'ISO 4217; null: not priced.';
COMMENT ON COLUMN billing.cdr_net.cost_excl IS 'Excluding tax, rounded once.';
COMMENT ON COLUMN billing.cdr_net.cost_incl IS 'Including tax, rounded once.';
COMMENT ON COLUMN billing.cdr_net.cost_excl_exact IS 'Before rounding.';
COMMENT ON COLUMN billing.cdr_net.cost_incl_exact IS 'Before rounding.';
COMMENT ON COLUMN billing.cdr_net.tariff_id IS 'The tariff that priced it.';
COMMENT ON COLUMN billing.cdr_net.parking_s IS 'Seconds in which the vehicle asked for no power.';
COMMENT ON COLUMN billing.cdr_net.partition IS 'Journal partition of the record that released it.';
COMMENT ON COLUMN billing.cdr_net.record_offset IS 'Its offset.';
COMMENT ON COLUMN billing.cdr_net.record_index IS 'Tells apart CDRs of one record.';
