-- name: find
SELECT
    key,
    (value || jsonb_build_object(
        'reported_at', to_char(
            (timestamptz 'epoch' + recorded_at * interval '1 microsecond') AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        ),
        'position', partition || ':' || record_offset
    ))::text AS item
FROM read.station_state
WHERE tenant = %(tenant)s AND station = %(station)s AND facet = %(facet)s
    AND value @> %(fitting)s::jsonb
    AND NOT EXISTS (
        SELECT FROM jsonb_each_text(%(named)s::jsonb) AS wanted (member, text)
        WHERE lower(value ->> wanted.member) IS DISTINCT FROM lower(wanted.text)
    )
    AND (%(valid_at)s::text IS NULL
        OR coalesce(value ->> 'valid_to' COLLATE "C" >= %(valid_at)s, true))
    AND (%(after)s::text IS NULL OR key > %(after)s)
ORDER BY key
LIMIT %(limit)s;

-- name: find_latest
SELECT
    key,
    (value || jsonb_build_object(
        'reported_at', to_char(
            (timestamptz 'epoch' + recorded_at * interval '1 microsecond') AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        ),
        'position', partition || ':' || record_offset
    ))::text AS item
FROM read.station_state
WHERE tenant = %(tenant)s AND station = %(station)s AND facet = %(facet)s
    AND value @> %(fitting)s::jsonb
    AND (%(after)s::text IS NULL OR key < %(after)s)
ORDER BY key DESC
LIMIT %(limit)s;

-- name: find_reservations
SELECT
    station, key,
    (value || jsonb_build_object(
        'station', station,
        'reported_at', to_char(
            (timestamptz 'epoch' + recorded_at * interval '1 microsecond') AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        ),
        'position', partition || ':' || record_offset
    ))::text AS item
FROM read.station_state
WHERE tenant = %(tenant)s AND facet = 'reservations'
    AND (%(station)s::text IS NULL OR station = %(station)s)
    AND (%(id_token)s::text IS NULL OR lower(value ->> 'id_token') = lower(%(id_token)s))
    AND (%(state)s::text IS NULL OR value ->> 'state' = %(state)s)
    AND (%(after_station)s::text IS NULL
        OR (station, key) > (%(after_station)s, %(after_key)s))
ORDER BY station, key
LIMIT %(limit)s;

-- name: write
INSERT INTO read.station_state
SELECT * FROM json_populate_recordset(NULL::read.station_state, %(rows)s)
ON CONFLICT (tenant, station, facet, key) DO UPDATE SET
    value = excluded.value,
    recorded_at = excluded.recorded_at,
    partition = excluded.partition,
    record_offset = excluded.record_offset;

-- name: merge
INSERT INTO read.station_state
SELECT * FROM json_populate_recordset(NULL::read.station_state, %(rows)s)
ON CONFLICT (tenant, station, facet, key) DO UPDATE SET
    value = station_state.value || excluded.value,
    recorded_at = excluded.recorded_at,
    partition = excluded.partition,
    record_offset = excluded.record_offset;

-- name: remove
DELETE FROM read.station_state AS s
USING json_populate_recordset(NULL::read.station_state, %(rows)s) AS gone
WHERE s.tenant = gone.tenant AND s.station = gone.station AND s.facet = gone.facet
    AND s.key = gone.key;

-- name: empty
DELETE FROM read.station_state AS s
USING json_populate_recordset(NULL::read.station_state, %(rows)s) AS emptied
WHERE s.tenant = emptied.tenant AND s.station = emptied.station AND s.facet = emptied.facet
    AND s.record_offset < emptied.record_offset;
