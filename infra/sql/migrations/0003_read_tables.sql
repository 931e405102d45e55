-- What is folded from the journal. Times are microseconds since 1970 (UTC); every row names the
-- record that made it what it is: (partition, record_offset), and record_index where one record
-- makes several rows. A rebuild makes the same rows.

CREATE TABLE read.positions (
    name text PRIMARY KEY,
    journal_id text NOT NULL,
    fold_version integer NOT NULL,
    positions jsonb NOT NULL,
    recorded_at bigint NOT NULL,
    checkpoint bytea NOT NULL
);
COMMENT ON TABLE read.positions IS 'How far each projection is: next offset by partition.';

CREATE TABLE read.station_states (
    name text NOT NULL,
    tenant text NOT NULL,
    station text NOT NULL,
    partition integer NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (name, tenant, station)
);
ALTER TABLE read.station_states ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE read.poison (
    name text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (name, partition, record_offset)
);
COMMENT ON TABLE read.poison IS 'Records that could not be folded, set aside for a person.';

CREATE TABLE read.stations (
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    registered boolean NOT NULL DEFAULT false,
    name text NOT NULL DEFAULT '',
    attributes jsonb NOT NULL DEFAULT '{}',
    has_password boolean NOT NULL DEFAULT false,
    registry_offset bigint,
    online boolean NOT NULL DEFAULT false,
    version text NOT NULL DEFAULT '',
    connected_at bigint,
    last_seen bigint,
    faulted boolean NOT NULL DEFAULT false,
    vendor text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    serial_number text NOT NULL DEFAULT '',
    firmware_version text NOT NULL DEFAULT '',
    partition integer,
    record_offset bigint,
    PRIMARY KEY (tenant, station)
) WITH (fillfactor = 70);

CREATE TABLE read.connectors (
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    evse bigint NOT NULL,
    connector bigint NOT NULL,
    status text NOT NULL,
    error_code text NOT NULL,
    detail text NOT NULL,
    since bigint NOT NULL,
    reported_at bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, station, evse, connector)
) WITH (fillfactor = 70);

CREATE TABLE read.connections (
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    connection text COLLATE "C" NOT NULL,
    opened_at bigint NOT NULL,
    closed_at bigint,
    reason text NOT NULL DEFAULT '',
    remote text NOT NULL,
    protocol text NOT NULL,
    proof text NOT NULL,
    user_agent text NOT NULL,
    node text NOT NULL,
    registered boolean NOT NULL,
    superseded boolean NOT NULL DEFAULT false,
    opened_offset bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, station, connection)
);
CREATE INDEX connections_newest ON read.connections (tenant, station, opened_offset);

CREATE TABLE read.transactions (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    evse bigint NOT NULL,
    connector bigint NOT NULL,
    id_token text NOT NULL,
    id_token_key text COLLATE "C" NOT NULL,
    token_status text NOT NULL,
    started_at bigint,
    received_at bigint NOT NULL,
    ended_at bigint,
    meter_start_wh bigint,
    meter_stop_wh bigint,
    meter_last_wh bigint,
    energy_wh bigint,
    stop_reason text,
    state text COLLATE "C" NOT NULL,
    flags text[] NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX transactions_latest ON read.transactions (tenant, received_at, id);
CREATE INDEX transactions_of_station ON read.transactions (tenant, station, received_at, id);
CREATE INDEX transactions_of_token ON read.transactions (tenant, id_token_key, received_at, id);
CREATE INDEX transactions_by_own_id ON read.transactions (tenant, transaction_id);
CREATE INDEX transactions_active ON read.transactions (tenant, received_at, id)
    WHERE state = 'active';

CREATE TABLE read.cdrs (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    record_index integer NOT NULL,
    revision bigint NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('OPEN', 'HELD', 'FINAL')),
    station text COLLATE "C" NOT NULL,
    evse bigint NOT NULL,
    connector bigint NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    id_token text NOT NULL,
    id_token_key text COLLATE "C" NOT NULL,
    started_at bigint,
    ended_at bigint,
    meter_start_wh bigint,
    meter_stop_wh bigint,
    energy_wh bigint,
    energy_lower_wh numeric,
    energy_upper_wh numeric,
    stop_reason text,
    flags text[] NOT NULL,
    positions jsonb NOT NULL,
    body text NOT NULL,
    sha256 text NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX cdrs_feed ON read.cdrs (tenant, partition, record_offset, record_index);
CREATE INDEX cdrs_of_station ON read.cdrs (tenant, station, partition, record_offset);
CREATE INDEX cdrs_of_token ON read.cdrs (tenant, id_token_key, partition, record_offset);

CREATE FUNCTION read.refuse_change_of_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'CDR % is FINAL: it was released and never changes', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER final_never_changes BEFORE UPDATE OR DELETE ON read.cdrs
    FOR EACH ROW WHEN (OLD.state = 'FINAL') EXECUTE FUNCTION read.refuse_change_of_final();

CREATE TABLE read.cdr_totals (
    tenant text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    cdrs bigint NOT NULL,
    energy_wh numeric NOT NULL,
    PRIMARY KEY (tenant, state)
);
COMMENT ON TABLE read.cdr_totals IS 'Kept with read.cdrs, so that counting costs nothing.';

CREATE TABLE read.commands (
    tenant text COLLATE "C" NOT NULL,
    command_id text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    action text NOT NULL,
    payload text NOT NULL,
    payload_digest text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    idempotency_key text NOT NULL,
    fate text COLLATE "C" NOT NULL,
    requested_offset bigint NOT NULL,
    requested_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    dispatched_at bigint,
    answered_at bigint,
    answer text,
    error_code text NOT NULL,
    error_description text NOT NULL,
    late boolean NOT NULL,
    effect_offset bigint,
    effect_at bigint,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, command_id)
);
CREATE INDEX commands_of_station ON read.commands (tenant, station, requested_offset);
CREATE INDEX commands_open ON read.commands (tenant) WHERE fate IN ('requested', 'dispatched');

CREATE TABLE read.id_tokens (
    tenant text COLLATE "C" NOT NULL,
    uid_key text COLLATE "C" NOT NULL,
    uid text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    expires_at bigint,
    group_id text NOT NULL,
    actor text NOT NULL,
    updated_at bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, uid_key)
);

CREATE TABLE read.orphans (
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    record_index integer NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    transaction_id text NOT NULL,
    told_offset bigint NOT NULL,
    recorded_at bigint NOT NULL,
    detail jsonb NOT NULL,
    PRIMARY KEY (partition, record_offset, record_index)
);
CREATE INDEX orphans_of_tenant ON read.orphans (tenant, recorded_at);

CREATE TABLE read.events (
    tenant text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    record_index integer NOT NULL,
    kind text NOT NULL,
    station text NOT NULL,
    subject text NOT NULL,
    recorded_at bigint NOT NULL,
    detail jsonb NOT NULL,
    PRIMARY KEY (tenant, partition, record_offset, record_index)
);
CREATE INDEX events_oldest ON read.events (partition, record_offset);
