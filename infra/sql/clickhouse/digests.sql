-- The content of each table at the position it is projected to, each row once, in no order: count,
-- sum and xor of the rows' hashes over named columns.

-- name: messages
SELECT count() AS n, sum(h) AS total, groupBitXor(h) AS mixed
FROM
(
    SELECT sipHash64(formatRow('RowBinary', tenant, station, direction, type, action, message_id,
        connection, version, error, frame, frame_base64, violations, recorded_at, latency_us,
        partition, offset, `index`)) AS h
    FROM {table:Identifier} FINAL
)

-- name: meter_values
SELECT count() AS n, sum(h) AS total, groupBitXor(h) AS mixed
FROM
(
    SELECT sipHash64(formatRow('RowBinary', tenant, station, evse, connector, transaction_id, at,
        recorded_at, time, measurand, phase, context, location, unit, value, raw, source, repeated,
        sample_key, partition, offset, `index`)) AS h
    FROM {table:Identifier} FINAL
)

-- name: connector_status
SELECT count() AS n, sum(h) AS total, groupBitXor(h) AS mixed
FROM
(
    SELECT sipHash64(formatRow('RowBinary', tenant, station, evse, connector, status, station_status,
        connected, error_code, detail, at, recorded_at, source, partition, offset, `index`)) AS h
    FROM {table:Identifier} FINAL
)

-- name: sessions
SELECT count() AS n, sum(h) AS total, groupBitXor(h) AS mixed
FROM
(
    SELECT sipHash64(formatRow('RowBinary', tenant, station, transaction_id, cdr_id, revision, state,
        evse, connector, id_token, started_at, ended_at, meter_start_wh, meter_stop_wh, energy_wh, signed,
        stop_reason, flags, partition, offset)) AS h
    FROM {table:Identifier} FINAL
)
