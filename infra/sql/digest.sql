-- Named columns of every table of the read model, in the order of its key.

-- name: one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: stations
COPY (
    SELECT
        tenant, station, registered, name, attributes, has_password, registry_offset, online,
        version, connected_at, last_seen, faulted, vendor, model, serial_number,
        firmware_version, boot_status, partition, record_offset
    FROM read.stations ORDER BY tenant, station
) TO STDOUT;

-- name: station_state
COPY (
    SELECT
        tenant, station, facet, key, value, recorded_at, partition, record_offset
    FROM read.station_state ORDER BY tenant, station, facet, key
) TO STDOUT;

-- name: connectors
COPY (
    SELECT
        tenant, station, evse, connector, status, error_code, detail, since, reported_at,
        partition, record_offset
    FROM read.connectors ORDER BY tenant, station, evse, connector
) TO STDOUT;

-- name: connections
COPY (
    SELECT
        tenant, station, connection, opened_at, closed_at, reason, remote, protocol, proof,
        user_agent, node, registered, violations, superseded, opened_offset, partition, record_offset
    FROM read.connections ORDER BY tenant, station, connection
) TO STDOUT;

-- name: transactions
COPY (
    SELECT
        id, tenant, station, transaction_id, evse, connector, id_token, token_status, started_at,
        received_at, ended_at, meter_start_wh, meter_stop_wh, meter_last_wh, energy_wh,
        stop_reason, state, flags, partition, record_offset
    FROM read.transactions ORDER BY id
) TO STDOUT;

-- name: cdrs
COPY (
    SELECT
        id, tenant, partition, record_offset, record_index, revision, state, station, evse,
        connector, transaction_id, id_token, started_at, ended_at, meter_start_wh, meter_stop_wh,
        energy_wh, energy_lower_wh, energy_upper_wh, stop_reason, flags, positions, body, sha256,
        holds, kind, sequence, credit_reference_id, replaces, currency, cost_excl, cost_incl,
        cost_excl_exact, cost_incl_exact, tariff_id, parking_s
    FROM read.cdrs ORDER BY id
) TO STDOUT;

-- name: cdr_revisions
COPY (
    SELECT id, revision, tenant, partition, record_offset, recorded_at, state, body, sha256
    FROM read.cdr_revisions ORDER BY id, partition, record_offset
) TO STDOUT;

-- name: cdr_totals
COPY (
    SELECT tenant, state, cdrs, energy_wh FROM read.cdr_totals
    WHERE cdrs <> 0 ORDER BY tenant, state
) TO STDOUT;

-- name: running_costs
COPY (
    SELECT id, tenant, body, partition, record_offset FROM read.running_costs ORDER BY id
) TO STDOUT;

-- name: cdr_requests
COPY (
    SELECT
        tenant, request_id, station, transaction_id, cdr_id, action, actor, reason,
        idempotency_key, request_digest, energy_wh, ended_at, tariff_id, fate, refusal, result,
        requested_offset, requested_at, decided_at, partition, record_offset
    FROM read.cdr_requests ORDER BY tenant, request_id
) TO STDOUT;

-- name: commands
COPY (
    SELECT
        tenant, command_id, station, version, action, command, payload, payload_digest, actor,
        reason, idempotency_key, fate, requested_offset, requested_at, expires_at, dispatched_at,
        answered_at, answer, error_code, error_description, late, effect_offset, effect_at,
        progress, partition, record_offset
    FROM read.commands ORDER BY tenant, command_id
) TO STDOUT;

-- name: provider_requests
COPY (
    SELECT
        tenant, request_id, station, version, action, payload, fate, asked_at, expires_at,
        settled_at, answer, actor, call_offset, partition, record_offset
    FROM read.provider_requests ORDER BY tenant, request_id
) TO STDOUT;

-- name: id_tokens
COPY (
    SELECT
        tenant, uid_key, uid, type, status, expires_at, group_id, actor, updated_at, partition,
        record_offset
    FROM read.id_tokens ORDER BY tenant, uid_key
) TO STDOUT;

-- name: tariff_versions
COPY (
    SELECT
        tenant, tariff_id, record_offset, valid_from, document, actor, reason, recorded_at
    FROM read.tariff_versions ORDER BY tenant, tariff_id, record_offset
) TO STDOUT;

-- name: tariff_assignments
COPY (
    SELECT
        tenant, record_offset, group_key, group_id, location_id, station, evse, tariff_id,
        valid_from, actor, reason, recorded_at
    FROM read.tariff_assignments ORDER BY tenant, record_offset
) TO STDOUT;

-- name: location_versions
COPY (
    SELECT tenant, location_id, record_offset, document, actor, recorded_at
    FROM read.location_versions ORDER BY tenant, location_id, record_offset
) TO STDOUT;

-- name: orphans
COPY (
    SELECT
        partition, record_offset, record_index, tenant, station, reason, transaction_id,
        told_offset, recorded_at, detail
    FROM read.orphans ORDER BY partition, record_offset, record_index
) TO STDOUT;

-- name: events
COPY (
    SELECT
        tenant, partition, record_offset, record_index, kind, station, subject, recorded_at,
        detail
    FROM read.events ORDER BY tenant, partition, record_offset, record_index
) TO STDOUT;

-- name: cdr_doubts
COPY (
    SELECT id, tenant, station, doubts, partition, record_offset, recorded_at
    FROM read.cdr_doubts ORDER BY id
) TO STDOUT;

-- name: owner_set_aside
COPY (
    SELECT partition, record_offset, tenant, station, reason, recorded_at
    FROM read.owner_set_aside ORDER BY partition, record_offset
) TO STDOUT;
