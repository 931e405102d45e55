-- name: find
SELECT
    id, tenant, station, transaction_id, evse, connector, id_token, token_status, started_at,
    received_at, ended_at, meter_start_wh, meter_stop_wh, meter_last_wh, energy_wh, stop_reason,
    state, flags, partition || ':' || record_offset AS position
FROM read.transactions
WHERE tenant = %(tenant)s
    AND (%(station)s::text IS NULL OR station = %(station)s)
    AND (%(id_token)s::text IS NULL OR id_token_key = %(id_token)s)
    AND (%(state)s::text IS NULL OR state = %(state)s)
    AND (
        %(after)s::uuid IS NULL
        OR (received_at, id) < (
            SELECT seen.received_at, seen.id FROM read.transactions AS seen
            WHERE seen.id = %(after)s::uuid AND seen.tenant = %(tenant)s
        )
    )
ORDER BY received_at DESC, id DESC
LIMIT %(limit)s;

-- name: count
SELECT count(*) AS total
FROM read.transactions
WHERE tenant = %(tenant)s
    AND (%(station)s::text IS NULL OR station = %(station)s)
    AND (%(id_token)s::text IS NULL OR id_token_key = %(id_token)s)
    AND (%(state)s::text IS NULL OR state = %(state)s);

-- name: one
SELECT
    id, tenant, station, transaction_id, evse, connector, id_token, token_status, started_at,
    received_at, ended_at, meter_start_wh, meter_stop_wh, meter_last_wh, energy_wh, stop_reason,
    state, flags, partition || ':' || record_offset AS position
FROM read.transactions
WHERE tenant = %(tenant)s
    AND (id = %(id)s::uuid OR transaction_id = %(transaction_id)s)
    AND (%(station)s::text IS NULL OR station = %(station)s)
ORDER BY received_at DESC, id DESC
LIMIT 1;

-- name: write
INSERT INTO read.transactions
SELECT * FROM json_populate_recordset(NULL::read.transactions, %(rows)s)
ON CONFLICT (id) DO UPDATE SET
    evse = excluded.evse,
    connector = excluded.connector,
    id_token = excluded.id_token,
    id_token_key = excluded.id_token_key,
    token_status = excluded.token_status,
    started_at = excluded.started_at,
    received_at = excluded.received_at,
    meter_start_wh = excluded.meter_start_wh,
    ended_at = excluded.ended_at,
    meter_stop_wh = excluded.meter_stop_wh,
    meter_last_wh = excluded.meter_last_wh,
    energy_wh = excluded.energy_wh,
    stop_reason = excluded.stop_reason,
    state = excluded.state,
    flags = excluded.flags,
    record_offset = excluded.record_offset;

-- name: write_costs
INSERT INTO read.running_costs
SELECT * FROM json_populate_recordset(NULL::read.running_costs, %(rows)s)
ON CONFLICT (id) DO UPDATE SET
    body = excluded.body,
    record_offset = excluded.record_offset;

-- name: cost
SELECT body FROM read.running_costs WHERE tenant = %(tenant)s AND id = %(id)s::uuid;
