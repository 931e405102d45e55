-- name: feed
-- In turns between the partitions, so that none waits for another; ascending within each.
SELECT partition, record_offset, record_index, body, sha256
FROM (
    SELECT
        c.partition, c.record_offset, c.record_index, c.body, c.sha256,
        row_number() OVER (
            PARTITION BY c.partition ORDER BY c.record_offset, c.record_index
        ) AS turn
    FROM (
        SELECT
            p.key::integer AS partition,
            coalesce(seen.record_offset, -1) AS record_offset,
            coalesce(seen.record_index, -1) AS record_index
        FROM read.positions, jsonb_each(positions) AS p
        LEFT JOIN unnest(
            %(partitions)s::integer[], %(offsets)s::bigint[], %(indexes)s::bigint[]
        ) AS seen (partition, record_offset, record_index) ON seen.partition = p.key::integer
        WHERE name = 'read'
    ) AS after
    CROSS JOIN LATERAL (
        SELECT * FROM read.cdrs
        WHERE tenant = %(tenant)s
            AND partition = after.partition
            AND (record_offset, record_index) > (after.record_offset, after.record_index)
            AND (%(state)s::text IS NULL OR state = %(state)s)
            AND (%(id_token)s::text IS NULL OR id_token_key = %(id_token)s)
            AND (%(station)s::text IS NULL OR station = %(station)s)
            AND (%(started_from)s::bigint IS NULL OR started_at >= %(started_from)s)
            AND (%(started_to)s::bigint IS NULL OR started_at < %(started_to)s)
        ORDER BY record_offset, record_index
        LIMIT %(limit)s
    ) AS c
) AS found
ORDER BY turn, partition
LIMIT %(limit)s;

-- name: one
SELECT partition, record_offset, record_index, body, sha256
FROM read.cdrs
WHERE tenant = %(tenant)s AND id = %(id)s::uuid;

-- name: count
-- Before `write`: what it adds, less what it replaces.
WITH new AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s)
        AS new (id uuid, tenant text, state text, energy_wh numeric)
), old AS MATERIALIZED (
    SELECT c.id, c.tenant, c.state, c.energy_wh FROM read.cdrs AS c JOIN new USING (id)
    -- A credit is FINAL from its first row on, so none is replaced.
)
INSERT INTO read.cdr_totals
SELECT tenant, state, sum(cdrs), sum(energy_wh)
FROM (
    SELECT tenant, state, 1 AS cdrs, coalesce(energy_wh, 0) AS energy_wh FROM new
    WHERE NOT EXISTS (SELECT FROM old WHERE old.id = new.id AND old.state = 'FINAL')
    UNION ALL
    SELECT tenant, state, -1, -coalesce(energy_wh, 0) FROM old
    WHERE state <> 'FINAL'
) AS difference
GROUP BY tenant, state
ON CONFLICT (tenant, state) DO UPDATE SET
    cdrs = cdr_totals.cdrs + excluded.cdrs,
    energy_wh = cdr_totals.energy_wh + excluded.energy_wh;

-- name: write
INSERT INTO read.cdrs
SELECT * FROM json_populate_recordset(NULL::read.cdrs, %(rows)s)
ON CONFLICT (id) DO UPDATE SET
    record_offset = excluded.record_offset,
    record_index = excluded.record_index,
    revision = excluded.revision,
    state = excluded.state,
    evse = excluded.evse,
    connector = excluded.connector,
    id_token = excluded.id_token,
    id_token_key = excluded.id_token_key,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    meter_start_wh = excluded.meter_start_wh,
    meter_stop_wh = excluded.meter_stop_wh,
    energy_wh = excluded.energy_wh,
    energy_lower_wh = excluded.energy_lower_wh,
    energy_upper_wh = excluded.energy_upper_wh,
    stop_reason = excluded.stop_reason,
    flags = excluded.flags,
    positions = excluded.positions,
    body = excluded.body,
    sha256 = excluded.sha256,
    holds = excluded.holds,
    currency = excluded.currency,
    cost_excl = excluded.cost_excl,
    cost_incl = excluded.cost_incl,
    cost_excl_exact = excluded.cost_excl_exact,
    cost_incl_exact = excluded.cost_incl_exact,
    tariff_id = excluded.tariff_id,
    parking_s = excluded.parking_s
WHERE cdrs.state <> 'FINAL';

-- name: revisions
SELECT revision, state, partition, record_offset, recorded_at, body, sha256
FROM read.cdr_revisions
WHERE tenant = %(tenant)s AND id = %(id)s::uuid
-- By the log: a document released by another version may count its revisions otherwise.
ORDER BY partition, record_offset;

-- name: write_revisions
INSERT INTO read.cdr_revisions
SELECT * FROM json_populate_recordset(NULL::read.cdr_revisions, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: of_transaction
-- Every document of a transaction, in the order of the chain.
SELECT c.partition, c.record_offset, c.record_index, c.body, c.sha256
FROM read.cdrs AS c
JOIN read.cdrs AS one ON one.id = %(id)s::uuid AND one.tenant = %(tenant)s
WHERE c.tenant = one.tenant AND c.station = one.station AND c.transaction_id = one.transaction_id
ORDER BY c.sequence;

-- name: held
-- Held, or released and in doubt since.
SELECT partition, record_offset, record_index, body, sha256, doubts
FROM (
    (
        SELECT partition, record_offset, record_index, body, sha256, '{}'::text[] AS doubts
        FROM read.cdrs
        WHERE tenant = %(tenant)s AND state = 'HELD'
            AND (%(station)s::text IS NULL OR station = %(station)s)
            AND (%(reason)s::text IS NULL OR %(reason)s = ANY (holds))
            AND (
                %(partition)s::integer IS NULL
                OR (partition, record_offset, record_index)
                    > (%(partition)s, %(offset)s::bigint, %(index)s::integer)
            )
        ORDER BY partition, record_offset, record_index
        LIMIT %(limit)s
    )
    UNION ALL
    SELECT c.partition, c.record_offset, c.record_index, c.body, c.sha256, d.doubts
    FROM read.cdr_doubts AS d
    JOIN read.cdrs AS c USING (id)
    WHERE d.tenant = %(tenant)s
        AND (%(station)s::text IS NULL OR d.station = %(station)s)
        AND (%(reason)s::text IS NULL OR %(reason)s = ANY (d.doubts))
        AND (
            %(partition)s::integer IS NULL
            OR (c.partition, c.record_offset, c.record_index)
                > (%(partition)s, %(offset)s::bigint, %(index)s::integer)
        )
) AS waiting
ORDER BY partition, record_offset, record_index
LIMIT %(limit)s;

-- name: clear_doubts
DELETE FROM read.cdr_doubts
USING json_to_recordset(%(rows)s) AS gone (id uuid)
WHERE cdr_doubts.id = gone.id;

-- name: write_doubts
INSERT INTO read.cdr_doubts
SELECT * FROM json_populate_recordset(NULL::read.cdr_doubts, %(rows)s)
ON CONFLICT (id) DO UPDATE SET
    doubts = excluded.doubts,
    record_offset = excluded.record_offset,
    recorded_at = excluded.recorded_at;

-- name: write_requests
INSERT INTO read.cdr_requests
SELECT * FROM json_populate_recordset(NULL::read.cdr_requests, %(rows)s)
ON CONFLICT (tenant, request_id) DO UPDATE SET
    fate = excluded.fate,
    refusal = excluded.refusal,
    result = excluded.result,
    decided_at = excluded.decided_at,
    record_offset = excluded.record_offset;

-- name: request
SELECT
    request_id, station, transaction_id, cdr_id, action, actor, reason, idempotency_key,
    request_digest, energy_wh, ended_at, tariff_id, fate, refusal, result, requested_at, decided_at,
    partition || ':' || record_offset AS position
FROM read.cdr_requests
WHERE tenant = %(tenant)s AND request_id = %(id)s;

-- name: verify
SELECT id::text, tenant, state, revision, energy_wh, sha256 FROM read.cdrs;
