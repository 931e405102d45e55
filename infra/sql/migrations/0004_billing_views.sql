-- What billing may see. Nothing is computed here that a CDR does not say.

CREATE VIEW billing.cdrs AS
SELECT
    id, revision, state, tenant, station, evse, connector, transaction_id, id_token,
    timestamptz 'epoch' + started_at * interval '1 microsecond' AS started_at,
    timestamptz 'epoch' + ended_at * interval '1 microsecond' AS ended_at,
    meter_start_wh, meter_stop_wh, energy_wh, energy_lower_wh, energy_upper_wh,
    stop_reason, flags, positions, partition, record_offset, record_index, body, sha256
FROM read.cdrs;

COMMENT ON VIEW billing.cdrs IS
'Charge detail records. Bill FINAL ones only: they are released and never change. OPEN ones may
change, HELD ones wait for a person. To follow them, keep for each partition the highest
(record_offset, record_index) read and ask for what is above: a CDR that changed moves there.';
COMMENT ON COLUMN billing.cdrs.id IS 'The same in every rebuild.';
COMMENT ON COLUMN billing.cdrs.revision IS 'Counts the records that changed it, from 1.';
COMMENT ON COLUMN billing.cdrs.state IS 'OPEN, HELD or FINAL.';
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
COMMENT ON COLUMN billing.cdrs.energy_wh IS 'Stop minus start, Wh. Null is unknown, never zero.';
COMMENT ON COLUMN billing.cdrs.energy_lower_wh IS 'While the energy is unknown: at least this.';
COMMENT ON COLUMN billing.cdrs.energy_upper_wh IS 'While the energy is unknown: at most this.';
COMMENT ON COLUMN billing.cdrs.stop_reason IS 'As the station gave it.';
COMMENT ON COLUMN billing.cdrs.flags IS 'What was seen, sorted; docs/cdr.md.';
COMMENT ON COLUMN billing.cdrs.positions IS 'The records it was made from: role → partition:offset.';
COMMENT ON COLUMN billing.cdrs.partition IS 'Journal partition of the record of this revision.';
COMMENT ON COLUMN billing.cdrs.record_offset IS 'Its offset.';
COMMENT ON COLUMN billing.cdrs.record_index IS 'Tells apart CDRs changed by one record.';
COMMENT ON COLUMN billing.cdrs.body IS 'The canonical JSON; of a FINAL one the released document.';
COMMENT ON COLUMN billing.cdrs.sha256 IS 'Of the body, hexadecimal.';

CREATE VIEW billing.transactions AS
SELECT
    id, tenant, station, transaction_id, evse, connector, id_token, token_status,
    timestamptz 'epoch' + started_at * interval '1 microsecond' AS started_at,
    timestamptz 'epoch' + received_at * interval '1 microsecond' AS received_at,
    timestamptz 'epoch' + ended_at * interval '1 microsecond' AS ended_at,
    meter_start_wh, meter_last_wh, meter_stop_wh, energy_wh, stop_reason, state, flags,
    partition, record_offset
FROM read.transactions;

COMMENT ON VIEW billing.transactions IS
'Charging sessions as far as they are known; the bill is the CDR with the same id.';
COMMENT ON COLUMN billing.transactions.id IS 'The id of its CDR.';
COMMENT ON COLUMN billing.transactions.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.transactions.station IS 'The charging station''s identity.';
COMMENT ON COLUMN billing.transactions.transaction_id IS 'As the station knows it.';
COMMENT ON COLUMN billing.transactions.evse IS 'The EVSE; in OCPP 1.6 the connectorId.';
COMMENT ON COLUMN billing.transactions.connector IS 'The connector of the EVSE.';
COMMENT ON COLUMN billing.transactions.id_token IS 'The token that started it.';
COMMENT ON COLUMN billing.transactions.token_status IS 'What we answered about the token.';
COMMENT ON COLUMN billing.transactions.started_at IS 'By the station''s clock.';
COMMENT ON COLUMN billing.transactions.received_at IS 'When we were told of the start; our clock.';
COMMENT ON COLUMN billing.transactions.ended_at IS 'By the station''s clock.';
COMMENT ON COLUMN billing.transactions.meter_start_wh IS 'The register at the start, Wh.';
COMMENT ON COLUMN billing.transactions.meter_last_wh IS 'The latest register in a sample, Wh.';
COMMENT ON COLUMN billing.transactions.meter_stop_wh IS 'The register at the end, Wh.';
COMMENT ON COLUMN billing.transactions.energy_wh IS 'As in its CDR; null while unknown.';
COMMENT ON COLUMN billing.transactions.stop_reason IS 'As the station gave it.';
COMMENT ON COLUMN billing.transactions.state IS 'active or ended.';
COMMENT ON COLUMN billing.transactions.flags IS 'What was seen, sorted.';
COMMENT ON COLUMN billing.transactions.partition IS 'Of the last record that told of it.';
COMMENT ON COLUMN billing.transactions.record_offset IS 'Of the last record that told of it.';

CREATE VIEW billing.stations AS
SELECT
    tenant, station, registered, name, online, version,
    timestamptz 'epoch' + connected_at * interval '1 microsecond' AS connected_at,
    timestamptz 'epoch' + last_seen * interval '1 microsecond' AS last_seen,
    faulted, vendor, model, serial_number, firmware_version
FROM read.stations;

COMMENT ON VIEW billing.stations IS 'Charging stations, registered or heard of.';
COMMENT ON COLUMN billing.stations.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.stations.station IS 'Its identity.';
COMMENT ON COLUMN billing.stations.registered IS 'Somebody has registered it.';
COMMENT ON COLUMN billing.stations.name IS 'As registered.';
COMMENT ON COLUMN billing.stations.online IS 'It has an open connection.';
COMMENT ON COLUMN billing.stations.version IS 'The OCPP version of its newest connection.';
COMMENT ON COLUMN billing.stations.connected_at IS 'Since when it is online; null if it is not.';
COMMENT ON COLUMN billing.stations.last_seen IS 'Its last sign of life, by our clock.';
COMMENT ON COLUMN billing.stations.faulted IS 'A connector or the station says Faulted.';
COMMENT ON COLUMN billing.stations.vendor IS 'As it booted.';
COMMENT ON COLUMN billing.stations.model IS 'As it booted.';
COMMENT ON COLUMN billing.stations.serial_number IS 'As it booted.';
COMMENT ON COLUMN billing.stations.firmware_version IS 'As it booted.';

CREATE VIEW billing.orphans AS
SELECT
    tenant, station, reason, transaction_id,
    timestamptz 'epoch' + recorded_at * interval '1 microsecond' AS recorded_at,
    partition, told_offset
FROM read.orphans;

COMMENT ON VIEW billing.orphans IS
'Money messages that belong to no known transaction: kept for a person, never guessed.';
COMMENT ON COLUMN billing.orphans.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.orphans.station IS 'Who told it.';
COMMENT ON COLUMN billing.orphans.reason IS 'STOP_UNKNOWN_TX or TXID_MINUS_ONE_AMBIGUOUS.';
COMMENT ON COLUMN billing.orphans.transaction_id IS 'The id that the message names.';
COMMENT ON COLUMN billing.orphans.recorded_at IS 'When it came; our clock.';
COMMENT ON COLUMN billing.orphans.partition IS 'Journal partition of the message.';
COMMENT ON COLUMN billing.orphans.told_offset IS 'Its offset: the frame is there, word for word.';
