-- name: write
INSERT INTO read.tariff_versions
SELECT * FROM json_populate_recordset(NULL::read.tariff_versions, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: write_assignments
INSERT INTO read.tariff_assignments
SELECT * FROM json_populate_recordset(NULL::read.tariff_assignments, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: write_locations
INSERT INTO read.location_versions
SELECT * FROM json_populate_recordset(NULL::read.location_versions, %(rows)s)
ON CONFLICT DO NOTHING;

-- name: find
-- Of each tariff the version for a session that begins at a time; none if it is removed by then.
SELECT tariff_id, valid_from, document, actor, reason, recorded_at, '0:' || record_offset AS position
FROM (
    SELECT DISTINCT ON (tariff_id) *
    FROM read.tariff_versions
    WHERE tenant = %(tenant)s AND tariff_id > %(after)s AND valid_from <= %(at)s
    ORDER BY tariff_id, valid_from DESC, record_offset DESC
) AS latest
WHERE document IS NOT NULL
ORDER BY tariff_id
LIMIT %(limit)s;

-- name: versions
SELECT tariff_id, valid_from, document, actor, reason, recorded_at, '0:' || record_offset AS position
FROM read.tariff_versions
WHERE tenant = %(tenant)s AND tariff_id = %(tariff_id)s
ORDER BY record_offset DESC
LIMIT %(limit)s;

-- name: assignments
-- Of each scope what is assigned for a session that begins at a time.
SELECT group_id AS group, location_id, station, evse, tariff_id, valid_from, actor, reason,
    recorded_at, '0:' || record_offset AS position
FROM (
    SELECT DISTINCT ON (group_key, location_id, station, evse) *
    FROM read.tariff_assignments
    WHERE tenant = %(tenant)s AND valid_from <= %(at)s
    ORDER BY group_key, location_id, station, evse, valid_from DESC, record_offset DESC
) AS latest
WHERE tariff_id <> ''
ORDER BY group_key, location_id, station, evse
LIMIT %(limit)s;

-- name: locations
SELECT location_id, document, actor, recorded_at, '0:' || record_offset AS position
FROM (
    SELECT DISTINCT ON (location_id) *
    FROM read.location_versions
    WHERE tenant = %(tenant)s AND location_id > %(after)s
    ORDER BY location_id, record_offset DESC
) AS latest
WHERE document IS NOT NULL
ORDER BY location_id
LIMIT %(limit)s;

-- name: location
SELECT location_id, document, actor, recorded_at, '0:' || record_offset AS position
FROM read.location_versions
WHERE tenant = %(tenant)s AND location_id = %(location_id)s
ORDER BY record_offset DESC
LIMIT 1;
