-- name: all
SELECT
    name, positions, recorded_at, waiting,
    (SELECT count(*) FROM read.poison WHERE poison.name = positions.name) AS poison
FROM read.positions
ORDER BY name;

-- name: journals
SELECT DISTINCT journal_id FROM read.positions;

-- name: fold_versions
SELECT DISTINCT fold_version FROM read.positions WHERE name IN ('read', 'clickhouse');

-- name: counts
SELECT
    (
        SELECT count(*) FROM read.stations
        WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s
    ) AS stations,
    (
        SELECT count(*) FROM read.stations
        WHERE online AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    ) AS stations_online,
    (
        SELECT count(*) FROM read.transactions
        WHERE state = 'active' AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    ) AS transactions_active,
    (
        SELECT count(*) FROM read.commands
        WHERE fate IN ('requested', 'dispatched')
            AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    ) AS commands_open,
    (
        SELECT count(*) FROM read.owner_set_aside
        WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s
    ) AS set_aside,
    coalesce(sum(cdrs) FILTER (WHERE state = 'OPEN'), 0)::bigint AS cdrs_open,
    coalesce(sum(cdrs) FILTER (WHERE state = 'HELD'), 0)::bigint AS cdrs_held,
    coalesce(sum(cdrs) FILTER (WHERE state = 'FINAL'), 0)::bigint AS cdrs_final,
    coalesce(sum(energy_wh), 0) AS energy_wh
FROM read.cdr_totals
WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s;

-- name: load
SELECT
    journal_id, fold_version, positions, recorded_at, waiting, last, checkpoint,
    (SELECT count(*) FROM read.poison WHERE poison.name = positions.name) AS poison
FROM read.positions
WHERE name = %(name)s;

-- name: load_states
SELECT s.tenant, s.station, s.partition, s.state
FROM read.station_states AS s
JOIN unnest(%(tenants)s::text[], %(stations)s::text[]) AS wanted (tenant, station)
    ON s.tenant = wanted.tenant AND s.station = wanted.station
WHERE s.name = %(name)s;

-- name: lock_shared
SELECT pg_try_advisory_xact_lock_shared(hashtext('chargeledger.rebuild.' || %(name)s)) AS free;

-- name: lock_rebuild
SELECT pg_try_advisory_lock(hashtext('chargeledger.rebuild.' || %(name)s)) AS free;

-- name: unlock_rebuild
SELECT pg_advisory_unlock(hashtext('chargeledger.rebuild.' || %(name)s));

-- name: commit_lazily
-- Whatever a crash of the database takes back is projected again, to the same rows.
SET LOCAL synchronous_commit = off;

-- name: stored_positions
SELECT journal_id, positions FROM read.positions WHERE name = %(name)s FOR UPDATE;

-- name: begin
INSERT INTO read.positions (
    name, journal_id, fold_version, positions, recorded_at, waiting, last, checkpoint
)
VALUES (
    %(name)s, %(journal_id)s, %(fold_version)s, %(positions)s::jsonb, %(recorded_at)s,
    %(waiting)s::jsonb, %(last)s::jsonb, %(checkpoint)s
);

-- name: advance
UPDATE read.positions SET
    fold_version = %(fold_version)s,
    positions = %(positions)s::jsonb,
    recorded_at = %(recorded_at)s,
    waiting = %(waiting)s::jsonb,
    last = %(last)s::jsonb,
    checkpoint = coalesce(%(checkpoint)s, checkpoint)
WHERE name = %(name)s;

-- name: write_states
INSERT INTO read.station_states (name, tenant, station, partition, state)
SELECT %(name)s, s.*
FROM unnest(
    %(tenants)s::text[], %(stations)s::text[], %(partitions)s::integer[], %(states)s::bytea[]
) AS s
ON CONFLICT (name, tenant, station) DO UPDATE SET state = excluded.state;

-- name: write_poison
INSERT INTO read.poison (name, partition, record_offset, reason, tenant, station)
SELECT %(name)s, p.*
FROM unnest(
    %(partitions)s::integer[], %(offsets)s::bigint[], %(reasons)s::text[], %(tenants)s::text[],
    %(stations)s::text[]
) AS p
ON CONFLICT DO NOTHING;

-- name: forget_positions
DELETE FROM read.positions WHERE name = %(name)s;

-- name: forget_states
DELETE FROM read.station_states WHERE name = %(name)s;

-- name: forget_poison
DELETE FROM read.poison WHERE name = %(name)s;

-- name: give_up_soon
-- Before the deadlock detector of Postgres begins: who waits for us behind a reader goes on.
SET LOCAL lock_timeout = '500ms';

-- name: readers
SELECT DISTINCT a.usename || ' (process ' || a.pid || ')'
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE c.relnamespace = 'read'::regnamespace AND c.relkind = 'r' AND l.pid <> pg_backend_pid();

-- name: empty_tables
TRUNCATE read.stations, read.station_state, read.connectors, read.connections,
    read.transactions, read.cdrs, read.cdr_doubts, read.cdr_revisions, read.cdr_totals, read.cdr_requests, read.running_costs,
    read.owner_set_aside, read.commands, read.provider_requests, read.id_tokens, read.orphans, read.events, read.tariff_versions,
    read.tariff_assignments, read.location_versions;

-- name: poison
SELECT partition, record_offset, reason FROM read.poison
WHERE name = %(name)s
ORDER BY partition, record_offset;

-- name: forget_owner_set_aside
DELETE FROM read.owner_set_aside
USING json_to_recordset(%(rows)s) AS claimed (partition integer)
WHERE owner_set_aside.partition = claimed.partition;

-- name: write_owner_set_aside
INSERT INTO read.owner_set_aside
SELECT * FROM json_populate_recordset(NULL::read.owner_set_aside, %(rows)s)
ON CONFLICT (partition, record_offset) DO UPDATE SET
    tenant = excluded.tenant, station = excluded.station, reason = excluded.reason,
    recorded_at = excluded.recorded_at;

-- name: set_aside
-- What is of no tenant (nobody can read whose it was) is for whoever may see the deployment.
SELECT
    tenant, station, partition, record_offset,
    coalesce(array_agg(name ORDER BY name) FILTER (WHERE name <> ''), '{}') AS names,
    bool_or(name = '') AS owner,
    min(reason) AS reason
FROM (
    SELECT tenant, station, partition, record_offset, name, reason FROM read.poison
    UNION ALL
    SELECT tenant, station, partition, record_offset, '', reason FROM read.owner_set_aside
) AS found
WHERE (tenant = %(tenant)s OR (tenant = '' AND %(untold)s))
    AND (%(station)s::text IS NULL OR station = %(station)s)
GROUP BY partition, record_offset, tenant, station
ORDER BY partition, record_offset
LIMIT %(limit)s;
