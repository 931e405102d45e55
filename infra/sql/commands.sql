-- name: one
SELECT
    command_id, tenant, station, version, action, command, payload, payload_digest, actor, reason, idempotency_key,
    fate, requested_at, expires_at, dispatched_at, answered_at, answer, error_code,
    error_description, late, progress, effect_at, partition || ':' || effect_offset AS effect,
    partition || ':' || record_offset AS position
FROM read.commands
WHERE tenant = %(tenant)s AND command_id = %(command_id)s;

-- name: find
SELECT
    command_id, tenant, station, version, action, command, payload, payload_digest, actor, reason, idempotency_key,
    fate, requested_at, expires_at, dispatched_at, answered_at, answer, error_code,
    error_description, late, progress, effect_at, partition || ':' || effect_offset AS effect,
    partition || ':' || record_offset AS position
FROM read.commands
WHERE tenant = %(tenant)s
    AND station = %(station)s
    AND (NOT %(open_only)s::boolean OR fate IN ('requested', 'dispatched'))
    AND (
        %(after)s::text IS NULL
        OR requested_offset < (
            SELECT seen.requested_offset FROM read.commands AS seen
            WHERE seen.tenant = %(tenant)s AND seen.command_id = %(after)s
        )
    )
ORDER BY requested_offset DESC
LIMIT %(limit)s;

-- name: write
INSERT INTO read.commands
SELECT * FROM json_populate_recordset(NULL::read.commands, %(rows)s)
ON CONFLICT (tenant, command_id) DO UPDATE SET
    fate = excluded.fate,
    dispatched_at = excluded.dispatched_at,
    answered_at = excluded.answered_at,
    answer = excluded.answer,
    error_code = excluded.error_code,
    error_description = excluded.error_description,
    late = excluded.late,
    effect_offset = excluded.effect_offset,
    effect_at = excluded.effect_at,
    progress = excluded.progress,
    record_offset = excluded.record_offset;
