-- name: days
-- Each day is given with its bounds, so that no other time zone data decides than ours.
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
    coalesce(sum(b.frames_wh), 0) AS frames_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'FINAL'), 0) AS released_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'HELD'), 0) AS held_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'OPEN'), 0) AS open_wh,
    coalesce(sum(b.accounted_wh) FILTER (WHERE b.state = 'REJECTED'), 0) AS rejected_wh,
    coalesce(
        sum(coalesce(b.frames_wh, 0) - coalesce(b.accounted_wh, 0))
            FILTER (WHERE b.difference NOT IN ('', 'unexplained')),
        0
    ) AS adjusted_wh,
    (
        SELECT count(*) FROM read.orphans AS o
        WHERE o.tenant = %(tenant)s AND o.recorded_at >= d.start_us AND o.recorded_at < d.end_us
    ) AS orphans
FROM unnest(%(days)s::text[], %(starts)s::bigint[], %(ends)s::bigint[])
    AS d (day, start_us, end_us)
LEFT JOIN LATERAL (
    SELECT * FROM billing.session_balance AS s
    WHERE s.tenant = %(tenant)s AND s.received_us >= d.start_us AND s.received_us < d.end_us
) AS b ON true
GROUP BY d.day, d.start_us, d.end_us
ORDER BY d.start_us;
