-- name: one
SELECT
    tenant, uid, type, status, expires_at, group_id AS group, actor, updated_at,
    partition || ':' || record_offset AS position
FROM read.id_tokens
WHERE tenant = %(tenant)s AND uid_key = %(key)s;

-- name: find
SELECT
    tenant, uid, type, status, expires_at, group_id AS group, actor, updated_at,
    partition || ':' || record_offset AS position
FROM read.id_tokens
WHERE tenant = %(tenant)s AND uid_key > %(after)s
ORDER BY uid_key
LIMIT %(limit)s;

-- name: write
INSERT INTO read.id_tokens
SELECT * FROM json_populate_recordset(NULL::read.id_tokens, %(rows)s)
ON CONFLICT (tenant, uid_key) DO UPDATE SET
    uid = excluded.uid,
    type = excluded.type,
    status = excluded.status,
    expires_at = excluded.expires_at,
    group_id = excluded.group_id,
    actor = excluded.actor,
    updated_at = excluded.updated_at,
    record_offset = excluded.record_offset;

-- name: remove
DELETE FROM read.id_tokens AS t
USING json_populate_recordset(NULL::read.id_tokens, %(rows)s) AS gone
WHERE t.tenant = gone.tenant AND t.uid_key = gone.uid_key;
