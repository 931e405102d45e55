-- name: after
SELECT partition, record_offset, record_index, kind, station, subject, recorded_at, detail
FROM (
    SELECT
        e.*,
        row_number() OVER (
            PARTITION BY e.partition ORDER BY e.record_offset, e.record_index
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
        SELECT * FROM read.events
        WHERE tenant = %(tenant)s
            AND partition = after.partition
            AND (record_offset, record_index) > (after.record_offset, after.record_index)
        ORDER BY record_offset, record_index
        LIMIT %(limit)s
    ) AS e
) AS found
ORDER BY turn, partition
LIMIT %(limit)s;

-- name: newest
SELECT p.key::integer AS partition, p.value::bigint AS next_offset
FROM read.positions, jsonb_each(positions) AS p
WHERE name = 'read';

-- name: write
INSERT INTO read.events
SELECT * FROM json_populate_recordset(NULL::read.events, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: prune
DELETE FROM read.events AS e
USING unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS bound (partition, oldest)
WHERE e.partition = bound.partition AND e.record_offset < bound.oldest;
