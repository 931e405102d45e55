-- What analysts read: nothing here counts a row, a sample, a start or a stop twice, and none reads a
-- clock. do_not_merge_across_partitions_select_final is safe: a row's partition follows from its key.

-- name: samples
CREATE OR REPLACE VIEW samples AS
SELECT
    tenant, station, evse, connector, transaction_id, time, at, recorded_at,
    measurand, phase, context, location, unit, value, raw, source, sample_key,
    partition, offset, `index`
FROM meter_values FINAL
WHERE NOT repeated
ORDER BY tenant, station, transaction_id, partition, offset, `index`
LIMIT 1 BY tenant, station, transaction_id, sample_key
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Each meter value once, also if the station sent it again or the projection wrote it twice'

-- name: session_energy
CREATE OR REPLACE VIEW session_energy AS
SELECT
    s.tenant AS tenant, s.station AS station, s.transaction_id AS transaction_id,
    s.evse AS evse, s.connector AS connector, s.cdr_id AS cdr_id, s.state AS state,
    ifNull(r.started, s.started_at) AS started, ifNull(r.ended, s.ended_at) AS ended,
    r.start_wh AS meter_start_wh, r.stop_wh AS meter_stop_wh,
    multiIf(
        isNull(s.energy_wh), NULL,
        isNull(meter_stop_wh - meter_start_wh) OR meter_stop_wh < meter_start_wh, s.energy_wh,
        meter_stop_wh - meter_start_wh
    ) AS energy_wh,
    s.energy_wh AS cdr_energy_wh, s.signed AS signed,
    energy_wh - cdr_energy_wh AS difference_wh
FROM
(
    SELECT
        tenant, station, transaction_id, evse, connector, cdr_id, toString(state) AS state,
        started_at, ended_at, energy_wh, signed
    FROM sessions FINAL
) AS s
LEFT JOIN
(
    SELECT
        tenant, station, transaction_id,
        if(countIf(source = 'register_start') = 0, NULL, argMaxIf(time, offset, source = 'register_start')) AS started,
        if(countIf(source = 'register_stop') = 0, NULL, argMaxIf(time, offset, source = 'register_stop')) AS ended,
        toDecimal128OrNull(argMaxIf(raw, offset, source = 'register_start'), 9) AS start_wh,
        toDecimal128OrNull(argMaxIf(raw, offset, source = 'register_stop'), 9) AS stop_wh
    FROM meter_values
    WHERE source IN ('register_start', 'register_stop') AND NOT repeated
    GROUP BY tenant, station, transaction_id
) AS r
ON r.tenant = s.tenant AND r.station = s.station AND r.transaction_id = s.transaction_id
COMMENT 'Wh of each transaction from its two registers, beside what its CDR says: difference_wh is 0, but where the energy was signed (calibration law): there it is below 1. NULL: the CDR''s energy is unknown. Where no register was told at the end, or it went over its highest number, energy_wh is the CDR''s'

-- name: energy_by_station_hour
CREATE OR REPLACE VIEW energy_by_station_hour AS
WITH
    known AS
    (
        SELECT
            tenant, station, transaction_id,
            coalesce(started, ended, toDateTime64(0, 6, 'UTC')) AS began,
            greatest(began, coalesce(ended, began)) AS over,
            ifNull(meter_start_wh, 0) AS low, low + assumeNotNull(cdr_energy_wh) AS high
        FROM session_energy
        WHERE isNotNull(cdr_energy_wh)
    ),
    points AS
    (
        SELECT
            m.tenant AS tenant, m.station AS station, m.transaction_id AS transaction_id, m.time AS t,
            toInt128(CAST(m.value, 'Decimal(76, 16)') * 1000) AS mwh
        FROM
        (
            SELECT tenant, station, transaction_id, time, assumeNotNull(value) AS value
            FROM meter_values
            WHERE measurand = 'Energy.Active.Import.Register' AND phase = '' AND location = 'Outlet'
                AND isNotNull(meter_values.value) AND NOT repeated AND transaction_id != ''
                AND source NOT IN ('register_start', 'register_stop')
        ) AS m
        INNER JOIN known AS e
        ON m.tenant = e.tenant AND m.station = e.station AND m.transaction_id = e.transaction_id
        WHERE m.value BETWEEN e.low AND e.high AND t > began AND t < over
        UNION ALL
        SELECT tenant, station, transaction_id, began AS t, toInt128(CAST(low, 'Decimal(76, 16)') * 1000) AS mwh
        FROM known
        UNION ALL
        SELECT tenant, station, transaction_id, over AS t, toInt128(CAST(high, 'Decimal(76, 16)') * 1000) AS mwh
        FROM known
    ),
    curve AS
    (
        SELECT tenant, station, transaction_id, t, min(mwh) AS mwh_low, max(mwh) AS mwh_high
        FROM points
        GROUP BY tenant, station, transaction_id, t
    ),
    rising AS
    (
        SELECT
            tenant, station, transaction_id, t, mwh_low,
            max(mwh_high) OVER (PARTITION BY tenant, station, transaction_id ORDER BY t) AS mwh
        FROM curve
    ),
    steps AS
    (
        SELECT
            tenant, station, transaction_id,
            lagInFrame(t, 1, t) OVER w AS t0, t AS t1,
            lagInFrame(mwh, 1, mwh_low) OVER w AS v0, mwh AS v1
        FROM rising
        WINDOW w AS (PARTITION BY tenant, station, transaction_id ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    pieces AS
    (
        SELECT
            tenant, station, transaction_id, v0, v1,
            toUnixTimestamp64Micro(t0) AS u0, toUnixTimestamp64Micro(t1) AS u1,
            3600000000 AS hour_us,
            arrayJoin(range(toUInt64(intDiv(u0, hour_us)), toUInt64(greatest(intDiv(u0, hour_us), intDiv(u1 - 1, hour_us))) + 1)) AS h,
            greatest(u0, toInt64(h) * hour_us) AS from_us,
            least(u1, (toInt64(h) + 1) * hour_us) AS to_us,
            intDiv(u0, hour_us) < intDiv(u1 - 1, hour_us) AS is_split
        FROM steps
        WHERE v1 != v0 OR u1 > u0
    )
SELECT
    tenant, station,
    toDateTime(toUInt32(h * 3600), 'UTC') AS hour,
    toDecimal128(sum(piece_mwh), 3) / 1000 AS energy_wh,
    toDecimal128(sumIf(piece_mwh, is_split), 3) / 1000 AS interpolated_wh,
    uniqExact(transaction_id) AS transactions
FROM
(
    SELECT
        tenant, station, transaction_id, h, is_split,
        if(to_us >= u1, v1, v0 + intDiv((v1 - v0) * (to_us - u0), greatest(u1 - u0, 1)))
            - if(from_us <= u0, v0, v0 + intDiv((v1 - v0) * (from_us - u0), greatest(u1 - u0, 1))) AS piece_mwh
    FROM pieces
)
GROUP BY tenant, station, h
COMMENT 'Wh by station and hour (UTC) of transactions whose energy is known: sums to their CDRs exactly. Samples split the energy, they never make any; interpolated_wh is the part split by time within a step that crosses the hour'

-- name: power_curve
CREATE OR REPLACE VIEW power_curve AS
SELECT
    tenant, station, transaction_id, any(evse) AS evse, time,
    if(countIf(measurand = 'Power.Active.Import' AND phase = '') > 0,
        anyIf(value, measurand = 'Power.Active.Import' AND phase = ''),
        if(countIf(measurand = 'Power.Active.Import') > 0,
            CAST(sumIf(value, measurand = 'Power.Active.Import'), 'Nullable(Decimal(38, 16))'), NULL)) AS power_w,
    if(countIf(measurand = 'Energy.Active.Import.Register') > 0,
        maxIf(value, measurand = 'Energy.Active.Import.Register'), NULL) AS register_wh,
    if(countIf(measurand = 'SoC') > 0, maxIf(value, measurand = 'SoC'), NULL) AS soc_percent
FROM samples
WHERE transaction_id != '' AND isNotNull(samples.value)
    AND ((measurand = 'Power.Active.Import' AND location = 'Outlet' AND phase IN ('', 'L1', 'L2', 'L3'))
        OR (measurand = 'Energy.Active.Import.Register' AND location = 'Outlet' AND phase = '')
        OR measurand = 'SoC')
GROUP BY tenant, station, transaction_id, time
COMMENT 'The course of a transaction: power (overall, else the sum of L1 to L3), register and state of charge by time. Filter by transaction_id and order by time'

-- name: uptime_by_connector_day
CREATE OR REPLACE VIEW uptime_by_connector_day AS
WITH
    ifNull((SELECT max(recorded_at) FROM messages), toDateTime64(0, 6, 'UTC')) AS as_of,
    states AS
    (
        SELECT
            tenant, station, evse, connector, recorded_at AS t0,
            greatest(t0, leadInFrame(recorded_at, 1, greatest(as_of, recorded_at)) OVER (
                PARTITION BY tenant, station, evse, connector ORDER BY partition, offset, `index`
                ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS t1,
            connected AND status NOT IN ('Unavailable', 'Faulted')
                AND station_status NOT IN ('Unavailable', 'Faulted') AS is_up
        FROM connector_status FINAL
        WHERE evse > 0
    )
SELECT
    tenant, station, evse, connector, day,
    sum(span_us) / 1000000 AS observed_s,
    sumIf(span_us, is_up) / 1000000 AS up_s,
    if(observed_s > 0, up_s / observed_s, NULL) AS uptime
FROM
(
    SELECT
        tenant, station, evse, connector, is_up,
        toDate('1970-01-01') + arrayJoin(range(toUInt32(toDate(t0)), toUInt32(toDate(t1)) + 1)) AS day,
        dateDiff('microsecond',
            greatest(t0, toDateTime64(day, 6, 'UTC')),
            least(t1, toDateTime64(day + 1, 6, 'UTC'))) AS span_us
    FROM states
)
GROUP BY tenant, station, evse, connector, day
COMMENT 'How much of each day (UTC) a connector could be used: its station connected, and neither it nor the station Unavailable or Faulted. The last state lasts until the newest message of the log'

-- name: answer_latency_by_action
CREATE OR REPLACE VIEW answer_latency_by_action AS
SELECT
    tenant, action, if(direction = 'out', 'us', 'station') AS answered_by,
    count() AS answers,
    countIf(type = 'CALLERROR') AS errors,
    quantileExact(0.50)(latency) / 1000 AS p50_ms,
    quantileExact(0.95)(latency) / 1000 AS p95_ms,
    quantileExact(0.99)(latency) / 1000 AS p99_ms,
    max(latency) / 1000 AS max_ms
FROM
(
    SELECT tenant, action, direction, type, assumeNotNull(latency_us) AS latency
    FROM messages FINAL
    WHERE isNotNull(latency_us)
    SETTINGS do_not_merge_across_partitions_select_final = 1
)
GROUP BY tenant, action, direction
COMMENT 'How long answers took, from the record of the CALL to the record of its answer: ours (answered_by us) and the stations'' own'

-- name: messages_per_day
CREATE OR REPLACE VIEW messages_per_day AS
SELECT
    tenant, station, toDate(recorded_at) AS day,
    count() AS messages,
    countIf(direction = 'in') AS received,
    countIf(direction = 'out') AS sent,
    countIf(type = 'CALLERROR' OR error != '') AS errors
FROM messages FINAL
GROUP BY tenant, station, day
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Frames by station and day (UTC, our clock)'
