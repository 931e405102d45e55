-- What sessions are priced by, in all its versions: a row is never changed.

CREATE TABLE read.tariff_versions (
    tenant text COLLATE "C" NOT NULL,
    tariff_id text COLLATE "C" NOT NULL,
    record_offset bigint NOT NULL,
    valid_from bigint NOT NULL,
    document text,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (tenant, tariff_id, record_offset)
);
COMMENT ON COLUMN read.tariff_versions.document IS 'As it was given; null: removed from then on.';

CREATE TABLE read.tariff_assignments (
    tenant text COLLATE "C" NOT NULL,
    record_offset bigint NOT NULL,
    group_key text COLLATE "C" NOT NULL,
    group_id text NOT NULL,
    location_id text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    evse integer NOT NULL,
    tariff_id text COLLATE "C" NOT NULL,
    valid_from bigint NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (tenant, record_offset)
);
CREATE INDEX tariff_assignments_of_scope
    ON read.tariff_assignments (tenant, group_key, location_id, station, evse, record_offset);

CREATE TABLE read.location_versions (
    tenant text COLLATE "C" NOT NULL,
    location_id text COLLATE "C" NOT NULL,
    record_offset bigint NOT NULL,
    document text,
    actor text NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (tenant, location_id, record_offset)
);
COMMENT ON COLUMN read.location_versions.document IS 'The whole location; null: removed.';
