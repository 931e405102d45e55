-- name: one
SELECT
    request_id, station, version, action, payload, fate, asked_at, expires_at, settled_at, answer,
    actor, partition || ':' || record_offset AS position
FROM read.provider_requests
WHERE tenant = %(tenant)s AND request_id = %(request_id)s;

-- name: find
SELECT
    request_id, station, version, action, payload, fate, asked_at, expires_at, settled_at, answer,
    actor, partition || ':' || record_offset AS position
FROM read.provider_requests
WHERE tenant = %(tenant)s
    AND (%(station)s::text IS NULL OR station = %(station)s)
    AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (
        %(after)s::text IS NULL
        OR (asked_at, request_id) < (
            SELECT seen.asked_at, seen.request_id FROM read.provider_requests AS seen
            WHERE seen.tenant = %(tenant)s AND seen.request_id = %(after)s
        )
    )
ORDER BY asked_at DESC, request_id DESC
LIMIT %(limit)s;

-- name: waiting
SELECT
    request_id, station, version, action, payload, fate, asked_at, expires_at, settled_at, answer,
    actor, partition || ':' || record_offset AS position
FROM read.provider_requests
WHERE tenant = %(tenant)s
    AND fate = 'waiting'
    AND (%(station)s::text IS NULL OR station = %(station)s)
    AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (
        %(after)s::text IS NULL
        OR (asked_at, request_id) > (
            SELECT seen.asked_at, seen.request_id FROM read.provider_requests AS seen
            WHERE seen.tenant = %(tenant)s AND seen.request_id = %(after)s
        )
    )
ORDER BY asked_at, request_id
LIMIT %(limit)s;

-- name: write
INSERT INTO read.provider_requests
SELECT * FROM json_populate_recordset(NULL::read.provider_requests, %(rows)s)
ON CONFLICT (tenant, request_id) DO UPDATE SET
    fate = excluded.fate,
    settled_at = excluded.settled_at,
    answer = excluded.answer,
    actor = excluded.actor,
    record_offset = excluded.record_offset;
