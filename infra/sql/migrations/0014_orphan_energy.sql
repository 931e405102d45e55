-- Orphans whose frames tell both registers have energy: it stands on both sides of the statement.

CREATE VIEW billing.orphan_energy AS
SELECT
    tenant, station, reason, transaction_id, recorded_at AS recorded_us,
    partition || ':' || told_offset AS position,
    is_repeat,
    CASE WHEN is_repeat THEN 0 ELSE coalesce((detail ->> 'energy_wh')::numeric, 0) END AS energy_wh,
    NOT is_repeat AND NOT detail ? 'energy_wh' AS is_unknown
FROM (
    SELECT
        *,
        detail ? 'same_as' AND row_number() OVER (
            PARTITION BY tenant, station, detail ->> 'same_as'
            ORDER BY partition, record_offset, record_index
        ) > 1 AS is_repeat
    FROM read.orphans
) AS each_orphan;

COMMENT ON VIEW billing.orphan_energy IS
'Messages that belong to no transaction, and what they say of energy.';
COMMENT ON COLUMN billing.orphan_energy.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.orphan_energy.station IS 'Who told it.';
COMMENT ON COLUMN billing.orphan_energy.reason IS 'STOP_UNKNOWN_TX or TXID_MINUS_ONE_AMBIGUOUS.';
COMMENT ON COLUMN billing.orphan_energy.transaction_id IS 'The id that the message names.';
COMMENT ON COLUMN billing.orphan_energy.recorded_us IS
'When it came; our clock, microseconds since 1970.';
COMMENT ON COLUMN billing.orphan_energy.position IS 'Of the message in the log.';
COMMENT ON COLUMN billing.orphan_energy.is_repeat IS 'The station had told the same before.';
COMMENT ON COLUMN billing.orphan_energy.energy_wh IS
'Wh by the two registers that it tells; 0 where it tells one, or was told before.';
COMMENT ON COLUMN billing.orphan_energy.is_unknown IS
'It does not tell two registers that agree: what flowed is not known.';

CREATE OR REPLACE VIEW billing.completeness AS
SELECT
    tenant, day,
    sum(sessions) AS sessions, sum(released) AS released, sum(held) AS held, sum(open) AS open,
    sum(rejected) AS rejected, sum(orphans) AS orphans,
    sum(frames_wh) AS frames_wh,
    sum(released_wh) AS released_wh, sum(held_wh) AS held_wh, sum(open_wh) AS open_wh,
    sum(rejected_wh) AS rejected_wh, sum(adjusted_wh) AS adjusted_wh,
    sum(frames_wh) - sum(released_wh) - sum(held_wh) - sum(open_wh) - sum(rejected_wh)
        - sum(adjusted_wh) - sum(orphaned_wh) AS unexplained_wh,
    sum(orphaned_wh) AS orphaned_wh, sum(orphans_unknown) AS orphans_unknown
FROM (
    SELECT
        tenant, (received_at AT TIME ZONE 'UTC')::date AS day,
        1 AS sessions,
        (state = 'FINAL')::integer AS released,
        (state = 'HELD')::integer AS held,
        (state = 'OPEN')::integer AS open,
        (state = 'REJECTED')::integer AS rejected,
        0 AS orphans,
        coalesce(frames_wh, 0) AS frames_wh,
        CASE WHEN state = 'FINAL' THEN coalesce(accounted_wh, 0) ELSE 0 END AS released_wh,
        CASE WHEN state = 'HELD' THEN coalesce(accounted_wh, 0) ELSE 0 END AS held_wh,
        CASE WHEN state = 'OPEN' THEN coalesce(accounted_wh, 0) ELSE 0 END AS open_wh,
        CASE WHEN state = 'REJECTED' THEN coalesce(accounted_wh, 0) ELSE 0 END AS rejected_wh,
        CASE WHEN difference IN ('', 'unexplained') THEN 0
            ELSE coalesce(frames_wh, 0) - coalesce(accounted_wh, 0) END AS adjusted_wh,
        0 AS orphaned_wh,
        0 AS orphans_unknown
    FROM billing.session_balance
    UNION ALL
    SELECT
        tenant,
        ((timestamptz 'epoch' + recorded_us * interval '1 microsecond') AT TIME ZONE 'UTC')::date,
        0, 0, 0, 0, 0, 1, energy_wh, 0, 0, 0, 0, 0, energy_wh, is_unknown::integer
    FROM billing.orphan_energy
) AS each_one
GROUP BY tenant, day;

COMMENT ON VIEW billing.completeness IS
'What became of the sessions of each day (UTC, by when we were told of the start), and of their energy:
frames_wh = released_wh + held_wh + open_wh + rejected_wh + orphaned_wh + adjusted_wh, and unexplained_wh
is 0.';
COMMENT ON COLUMN billing.completeness.orphaned_wh IS
'By the registers that orphaned messages told, each once.';
COMMENT ON COLUMN billing.completeness.orphans_unknown IS
'Orphaned messages that do not tell two registers, each once.';
