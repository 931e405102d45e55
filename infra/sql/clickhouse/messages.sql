-- name: conversation
-- A repeated row stands beside the first one: LIMIT BY lets the newest rows be read from the end of
-- the sorting key, where FINAL would read all of the station's.
SELECT direction, type, action, message_id, connection, version, error, frame, frame_base64,
    violations, recorded_at, latency_us, partition, offset
FROM messages
WHERE tenant = {tenant:String} AND station = {station:String} AND offset < {before:UInt64}
ORDER BY tenant DESC, station DESC, partition DESC, offset DESC, `index` DESC
LIMIT 1 BY partition, offset, `index`
LIMIT {limit:UInt32}

-- name: between
SELECT direction, connection, frame, frame_base64, recorded_at, offset
FROM messages
WHERE tenant = {tenant:String} AND station = {station:String} AND partition = {partition:UInt16}
    AND offset BETWEEN {first:UInt64} AND {last:UInt64}
ORDER BY offset, `index`
LIMIT 1 BY offset, `index`
LIMIT {limit:UInt32}
