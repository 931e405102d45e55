-- name: write
INSERT INTO read.orphans
SELECT * FROM json_populate_recordset(NULL::read.orphans, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: find
SELECT
    station, reason, transaction_id, recorded_at, detail,
    partition || ':' || told_offset AS position
FROM read.orphans
WHERE tenant = %(tenant)s
ORDER BY recorded_at DESC, partition, record_offset, record_index
LIMIT %(limit)s;
