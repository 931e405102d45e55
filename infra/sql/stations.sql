-- name: find
SELECT
    tenant, station, registered, name, attributes, has_password, online, version, connected_at,
    last_seen, faulted, vendor, model, serial_number, firmware_version,
    boot_status, coalesce(partition || ':' || record_offset, '') AS position
FROM read.stations
WHERE tenant = %(tenant)s
    AND (registered OR record_offset IS NOT NULL)
    AND (%(online)s::boolean IS NULL OR online = %(online)s)
    AND (%(faulted)s::boolean IS NULL OR faulted = %(faulted)s)
    AND (%(version)s::text IS NULL OR version = %(version)s)
    AND (%(after)s::text IS NULL OR station > %(after)s)
ORDER BY station
LIMIT %(limit)s;

-- name: one
SELECT
    tenant, station, registered, name, attributes, has_password, online, version, connected_at,
    last_seen, faulted, vendor, model, serial_number, firmware_version,
    boot_status, coalesce(partition || ':' || record_offset, '') AS position
FROM read.stations
WHERE tenant = %(tenant)s AND station = %(station)s
    AND (registered OR record_offset IS NOT NULL);

-- name: connectors
SELECT
    evse, connector, status, error_code, detail, since, reported_at,
    partition || ':' || record_offset AS position
FROM read.connectors
WHERE tenant = %(tenant)s AND station = %(station)s
ORDER BY evse, connector;

-- name: newest_connection
SELECT
    connection, opened_at, closed_at, reason, remote, protocol, proof, user_agent, node,
    registered, violations, superseded, partition || ':' || record_offset AS position
FROM read.connections
WHERE tenant = %(tenant)s AND station = %(station)s
ORDER BY opened_offset DESC
LIMIT 1;

-- name: write_told
INSERT INTO read.stations (
    tenant, station, online, version, connected_at, last_seen, faulted,
    vendor, model, serial_number, firmware_version, boot_status, partition, record_offset
)
SELECT
    tenant, station, online, coalesce(version, ''), connected_at, last_seen, faulted,
    vendor, model, serial_number, firmware_version, boot_status, partition, record_offset
FROM json_populate_recordset(NULL::read.stations, %(rows)s)
ON CONFLICT (tenant, station) DO UPDATE SET
    online = excluded.online,
    version = CASE WHEN excluded.version = '' THEN stations.version ELSE excluded.version END,
    connected_at = excluded.connected_at,
    last_seen = excluded.last_seen,
    faulted = excluded.faulted,
    vendor = excluded.vendor,
    model = excluded.model,
    serial_number = excluded.serial_number,
    firmware_version = excluded.firmware_version,
    boot_status = excluded.boot_status,
    partition = excluded.partition,
    record_offset = excluded.record_offset;

-- name: write_registered
INSERT INTO read.stations (
    tenant, station, registered, name, attributes, has_password, registry_offset
)
SELECT
    new.tenant, new.station, new.registered, new.name, new.attributes,
    coalesce(new.has_password, before.has_password, false), new.registry_offset
FROM json_populate_recordset(NULL::read.stations, %(rows)s) AS new
LEFT JOIN read.stations AS before
    ON before.tenant = new.tenant AND before.station = new.station
ON CONFLICT (tenant, station) DO UPDATE SET
    registered = excluded.registered,
    name = excluded.name,
    attributes = excluded.attributes,
    has_password = excluded.has_password,
    registry_offset = excluded.registry_offset;

-- name: write_passwords_set
UPDATE read.stations AS s SET has_password = true
FROM json_populate_recordset(NULL::read.stations, %(rows)s) AS new
WHERE s.tenant = new.tenant AND s.station = new.station AND s.registered;

-- name: write_connectors
INSERT INTO read.connectors
SELECT * FROM json_populate_recordset(NULL::read.connectors, %(rows)s)
ON CONFLICT (tenant, station, evse, connector) DO UPDATE SET
    status = excluded.status,
    error_code = excluded.error_code,
    detail = excluded.detail,
    since = excluded.since,
    reported_at = excluded.reported_at,
    partition = excluded.partition,
    record_offset = excluded.record_offset;

-- name: write_opened
INSERT INTO read.connections (
    tenant, station, connection, opened_at, remote, protocol, proof, user_agent, node, registered,
    violations, opened_offset, partition, record_offset
)
SELECT
    tenant, station, connection, opened_at, remote, protocol, proof, user_agent, node, registered,
    violations, opened_offset, partition, record_offset
FROM json_populate_recordset(NULL::read.connections, %(rows)s)
ON CONFLICT (tenant, station, connection) DO NOTHING;

-- name: write_closed
UPDATE read.connections AS c SET
    closed_at = new.closed_at,
    reason = new.reason,
    superseded = new.superseded,
    record_offset = new.record_offset
FROM json_populate_recordset(NULL::read.connections, %(rows)s) AS new
WHERE c.tenant = new.tenant AND c.station = new.station AND c.connection = new.connection
    AND c.closed_at IS NULL;
