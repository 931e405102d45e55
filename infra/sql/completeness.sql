-- name: days
-- Each day is given with its bounds, so that no other time zone data decides than ours.
WITH orphaned AS MATERIALIZED (
    SELECT recorded_us, energy_wh, is_unknown FROM billing.orphan_energy WHERE tenant = %(tenant)s
)
SELECT
    d.day,
    count(b.id) AS sessions,
    count(b.id) FILTER (WHERE b.state = 'FINAL') AS released,
    count(b.id) FILTER (WHERE b.state = 'HELD') AS held,
    count(b.id) FILTER (WHERE b.state = 'OPEN') AS open,
    count(b.id) FILTER (WHERE b.state = 'REJECTED') AS rejected,
    coalesce(sum(b.credits), 0) AS credits,
    coalesce(sum(b.replacements), 0) AS replacements,
    count(b.id) FILTER (WHERE b.frames_wh IS NULL) AS unknown,
    coalesce(sum(b.frames_wh), 0) + max(o.energy_wh) AS frames_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'FINAL'), 0) AS released_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'HELD'), 0) AS held_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'OPEN'), 0) AS open_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'REJECTED'), 0) AS rejected_wh,
    coalesce(
        sum(coalesce(b.frames_wh, 0) - coalesce(b.accounted_wh, 0))
            FILTER (WHERE b.difference NOT IN ('', 'unexplained')),
        0
    ) AS adjusted_wh,
    max(o.orphans) AS orphans,
    max(o.unknown) AS orphans_unknown,
    max(o.energy_wh) AS orphaned_wh
FROM unnest(%(days)s::text[], %(starts)s::bigint[], %(ends)s::bigint[])
    AS d (day, start_us, end_us)
LEFT JOIN LATERAL (
    SELECT * FROM billing.session_balance AS s
    WHERE s.tenant = %(tenant)s AND s.received_us >= d.start_us AND s.received_us < d.end_us
) AS b ON true
CROSS JOIN LATERAL (
    SELECT
        count(*) AS orphans,
        count(*) FILTER (WHERE e.is_unknown) AS unknown,
        coalesce(sum(e.energy_wh), 0) AS energy_wh
    FROM orphaned AS e
    WHERE e.recorded_us >= d.start_us AND e.recorded_us < d.end_us
) AS o
GROUP BY d.day, d.start_us, d.end_us
ORDER BY d.start_us;
