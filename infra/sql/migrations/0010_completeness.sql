-- What became of every session, and whether its energy is accounted for. Rows come from the registers
-- that the frames told (transactions) and from the documents (CDRs): two ways that must agree.

CREATE VIEW billing.session_balance AS
SELECT
    t.tenant, t.id, t.station, t.transaction_id,
    timestamptz 'epoch' + t.received_at * interval '1 microsecond' AS received_at,
    t.received_at AS received_us,
    coalesce(d.state, 'OPEN') AS state,
    t.frames_wh,
    CASE WHEN d.state = 'FINAL' THEN d.net_wh ELSE t.frames_wh END AS accounted_wh,
    d.credits, d.replacements,
    CASE
        WHEN d.state IS DISTINCT FROM 'FINAL' OR d.net_wh IS NOT DISTINCT FROM t.frames_wh THEN ''
        WHEN d.is_signed THEN 'signed'
        WHEN d.is_decided THEN 'decided'
        WHEN d.is_rolled_over THEN 'rollover'
        ELSE 'unexplained'
    END AS difference
FROM (
    SELECT *, coalesce(meter_stop_wh, meter_last_wh) - meter_start_wh AS frames_wh
    FROM read.transactions
) AS t
CROSS JOIN LATERAL (
    WITH RECURSIVE chain AS (
        SELECT c.id, c.state, c.kind, c.energy_wh, c.flags, c.body
        FROM read.cdrs AS c
        WHERE c.id = t.id
        UNION ALL
        SELECT c.id, c.state, c.kind, c.energy_wh, c.flags, c.body
        FROM chain
        JOIN read.cdrs AS c
            ON c.tenant = t.tenant AND c.station = t.station
            AND c.transaction_id = t.transaction_id AND c.sequence > 0
            AND (c.credit_reference_id = chain.id OR c.replaces = chain.id)
    )
    SELECT
        max(state) FILTER (WHERE kind = 'original') AS state,
        sum(CASE kind WHEN 'credit' THEN -energy_wh ELSE energy_wh END)
            FILTER (WHERE state = 'FINAL') AS net_wh,
        count(*) FILTER (WHERE kind = 'credit') AS credits,
        count(*) FILTER (WHERE kind = 'replacement') AS replacements,
        bool_or(body::jsonb #>> '{signed,is_energy}' = 'true') AS is_signed,
        bool_or(body::jsonb ? 'decided') AS is_decided,
        bool_or('METER_ROLLOVER' = ANY (flags)) AS is_rolled_over
    FROM chain
) AS d;

COMMENT ON VIEW billing.session_balance IS
'Each session once: what its frames say it took beside what its documents account for.';
COMMENT ON COLUMN billing.session_balance.tenant IS 'Whose it is.';
COMMENT ON COLUMN billing.session_balance.id IS 'The id of its first CDR.';
COMMENT ON COLUMN billing.session_balance.station IS 'The charging station''s identity.';
COMMENT ON COLUMN billing.session_balance.transaction_id IS 'As the station knows it.';
COMMENT ON COLUMN billing.session_balance.received_at IS
'When we were told of its start, by our clock: the day it is counted on, whatever comes later.';
COMMENT ON COLUMN billing.session_balance.received_us IS 'The same in microseconds since 1970.';
COMMENT ON COLUMN billing.session_balance.state IS 'OPEN, HELD, REJECTED or FINAL: of its first CDR.';
COMMENT ON COLUMN billing.session_balance.frames_wh IS
'Wh by the registers told: the stop, or so far the latest sample, less the start. Null: not two.';
COMMENT ON COLUMN billing.session_balance.accounted_wh IS
'Wh of its released documents, credits taken off; of one that is not released, those of its frames.';
COMMENT ON COLUMN billing.session_balance.credits IS 'How often it was given back.';
COMMENT ON COLUMN billing.session_balance.replacements IS 'How often something was put in its place.';
COMMENT ON COLUMN billing.session_balance.difference IS
'Why released Wh are not those of the registers: signed (calibration law), decided (by a person),
rollover, or unexplained, which must not be. Empty: they are.';

CREATE VIEW billing.completeness AS
SELECT
    tenant, day,
    sum(sessions) AS sessions, sum(released) AS released, sum(held) AS held, sum(open) AS open,
    sum(rejected) AS rejected, sum(orphans) AS orphans,
    sum(frames_wh) AS frames_wh,
    sum(released_wh) AS released_wh, sum(held_wh) AS held_wh, sum(open_wh) AS open_wh,
    sum(rejected_wh) AS rejected_wh, sum(adjusted_wh) AS adjusted_wh,
    sum(frames_wh) - sum(released_wh) - sum(held_wh) - sum(open_wh) - sum(rejected_wh)
        - sum(adjusted_wh) AS unexplained_wh
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
            ELSE coalesce(frames_wh, 0) - coalesce(accounted_wh, 0) END AS adjusted_wh
    FROM billing.session_balance
    UNION ALL
    SELECT
        tenant,
        ((timestamptz 'epoch' + recorded_at * interval '1 microsecond') AT TIME ZONE 'UTC')::date,
        0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    FROM read.orphans
) AS each_one
GROUP BY tenant, day;

COMMENT ON VIEW billing.completeness IS
'What became of the sessions of each day (UTC, by when we were told of the start), and of their energy:
frames_wh = released_wh + held_wh + open_wh + rejected_wh + adjusted_wh, and unexplained_wh is 0.';
COMMENT ON COLUMN billing.completeness.tenant IS 'Whose they are.';
COMMENT ON COLUMN billing.completeness.day IS 'A day in UTC.';
COMMENT ON COLUMN billing.completeness.sessions IS 'Started.';
COMMENT ON COLUMN billing.completeness.released IS 'Given to billing.';
COMMENT ON COLUMN billing.completeness.held IS 'Waiting for a person.';
COMMENT ON COLUMN billing.completeness.open IS 'Running, or settling.';
COMMENT ON COLUMN billing.completeness.rejected IS 'Billed to nobody, by a person.';
COMMENT ON COLUMN billing.completeness.orphans IS 'Messages that belong to no session.';
COMMENT ON COLUMN billing.completeness.frames_wh IS 'By the registers that the frames told.';
COMMENT ON COLUMN billing.completeness.released_wh IS 'Of released documents, credits taken off.';
COMMENT ON COLUMN billing.completeness.held_wh IS 'By the registers of those held.';
COMMENT ON COLUMN billing.completeness.open_wh IS 'So far, of those open.';
COMMENT ON COLUMN billing.completeness.rejected_wh IS 'By the registers of those rejected.';
COMMENT ON COLUMN billing.completeness.adjusted_wh IS
'What frames say and documents do not, for a reason: signed values, a person''s decision, a rollover.';
COMMENT ON COLUMN billing.completeness.unexplained_wh IS 'Must be 0.';
