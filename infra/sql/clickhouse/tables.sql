-- The series. Every table is a ReplacingMergeTree whose sorting key ends with the record's place in
-- the log, so that a record which is projected twice counts once (FINAL, or the views). Partitions
-- follow our clock, never the station's: a clock that says 1970 or 2099 spreads nothing.

-- name: create_meter_values
CREATE TABLE IF NOT EXISTS {table:Identifier}
(
    tenant LowCardinality(String),
    station LowCardinality(String),
    evse Int64,
    connector Int64,
    transaction_id String,
    at Nullable(DateTime64(6, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'The station''s clock, as it said; NULL: absent or unreadable',
    recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Our clock when the message came',
    time DateTime64(6, 'UTC') DEFAULT if(
        isNull(at) OR at < toDateTime64('2015-01-01 00:00:00', 6, 'UTC') OR at > recorded_at + toIntervalDay(1),
        recorded_at, assumeNotNull(at)) CODEC(Delta, ZSTD(1)) COMMENT 'at, or recorded_at where at cannot be true',
    measurand LowCardinality(String),
    phase LowCardinality(String) COMMENT 'Empty: overall',
    context LowCardinality(String),
    location LowCardinality(String),
    unit LowCardinality(String) COMMENT 'Base units: Wh, W, A, V, Percent',
    number String EPHEMERAL COMMENT 'The value as decimal text, for inserts only',
    value Nullable(Decimal(38, 16)) DEFAULT toDecimal128OrNull(number, 16) CODEC(ZSTD(1)) COMMENT 'Exact, in the base unit; NULL: no number, see raw',
    raw String CODEC(ZSTD(1)) COMMENT 'As the station wrote it',
    source LowCardinality(String) COMMENT 'sample, transaction_data, transaction_event, register_start or register_stop',
    repeated Bool COMMENT 'Told by a start or stop that was sent again',
    sample_key UInt64 DEFAULT sipHash64(
        tenant, station, evse, connector, transaction_id, measurand, phase, location, context, unit,
        if(isNull(at), concat('at ', toString(partition), ':', toString(offset)), toString(at)),
        if(isNull(value), raw, toString(value))) CODEC(NONE) COMMENT 'The same for a sample that the station sent again',
    partition UInt16,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant, station, transaction_id, partition, offset, `index`)
COMMENT 'One row per sampled value and per register of a start or stop. Rows may stand twice: use the views, or FINAL'

-- name: create_messages
CREATE TABLE IF NOT EXISTS {table:Identifier}
(
    tenant LowCardinality(String),
    station LowCardinality(String),
    direction Enum8('in' = 1, 'out' = 2) COMMENT 'in: from the station',
    type Enum8('unreadable' = 0, 'CALL' = 2, 'CALLRESULT' = 3, 'CALLERROR' = 4, 'CALLRESULTERROR' = 5, 'SEND' = 6),
    action LowCardinality(String) COMMENT 'Of an answer: of the CALL it answers',
    message_id String CODEC(ZSTD(1)),
    connection String CODEC(ZSTD(1)),
    version LowCardinality(String) COMMENT 'The OCPP version that the connection speaks',
    error LowCardinality(String) COMMENT 'What is wrong with the frame; of a CALLERROR its code',
    frame String CODEC(ZSTD(1)) COMMENT 'Character for character as on the wire',
    frame_base64 String COMMENT 'Of a frame that was no text',
    violations Array(String) CODEC(ZSTD(1)) COMMENT 'What is odd or wrong with the frame, in the words of docs/tolerance.md',
    recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Our clock',
    latency_us Nullable(Int64) CODEC(ZSTD(1)) COMMENT 'Of an answer: since its CALL, by our clock',
    partition UInt16,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant, station, partition, offset, `index`)
COMMENT 'Every frame of both directions. Rows may stand twice: use the views, or FINAL'

-- name: add_version
ALTER TABLE {table:Identifier}
    ADD COLUMN IF NOT EXISTS version LowCardinality(String)
        COMMENT 'The OCPP version that the connection speaks' AFTER connection

-- name: add_violations
ALTER TABLE {table:Identifier}
    ADD COLUMN IF NOT EXISTS violations Array(String) CODEC(ZSTD(1))
        COMMENT 'What is odd or wrong with the frame, in the words of docs/tolerance.md' AFTER frame_base64

-- name: create_connector_status
CREATE TABLE IF NOT EXISTS {table:Identifier}
(
    tenant LowCardinality(String),
    station LowCardinality(String),
    evse Int64 COMMENT '0: the station as a whole',
    connector Int64,
    status LowCardinality(String),
    station_status LowCardinality(String) COMMENT 'Of EVSE 0 at that time; empty: never told',
    connected Bool COMMENT 'Whether the station was connected from then on',
    error_code LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    at Nullable(DateTime64(6, 'UTC')) COMMENT 'The station''s clock',
    recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Our clock',
    source LowCardinality(String) COMMENT 'status, station_status or connection: what changed',
    partition UInt16,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant, station, evse, connector, partition, offset, `index`)
COMMENT 'The state of a connector from this row to its next one. Rows may stand twice: use the views, or FINAL'

-- name: create_sessions
CREATE TABLE IF NOT EXISTS {table:Identifier}
(
    tenant LowCardinality(String),
    station LowCardinality(String),
    transaction_id String,
    cdr_id String,
    revision UInt32,
    state Enum8('OPEN' = 1, 'HELD' = 2, 'FINAL' = 3, 'REJECTED' = 4),
    evse Int64,
    connector Int64,
    id_token String,
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'The station''s clock',
    ended_at Nullable(DateTime64(6, 'UTC')) COMMENT 'The station''s clock',
    meter_start_wh Nullable(Int64),
    meter_stop_wh Nullable(Int64),
    energy_wh Nullable(Decimal(38, 9)) COMMENT 'NULL: unknown, never zero. With decimals only where calibration law binds',
    signed Bool COMMENT 'Calibration law binds: the energy is the signed difference, not that of the registers',
    stop_reason LowCardinality(String),
    flags Array(LowCardinality(String)),
    partition UInt16,
    offset UInt64 COMMENT 'Of the record that made this revision'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, station, transaction_id)
COMMENT 'Transactions as their CDRs say. Older revisions may stand beside the latest: use the views, or FINAL'

-- name: drop
DROP TABLE IF EXISTS {table:Identifier} SYNC

-- name: exchange
EXCHANGE TABLES {table:Identifier} AND {other:Identifier}

-- name: calls
SELECT partition, offset, any(toUnixTimestamp64Micro(recorded_at)) AS recorded_us,
    any(version) AS version
FROM {table:Identifier}
WHERE tenant IN {tenants:Array(String)} AND station IN {stations:Array(String)}
    AND partition IN {partitions:Array(UInt16)} AND offset IN {offsets:Array(UInt64)}
GROUP BY partition, offset
