-- What the present owner of each partition has set aside: it decides nothing for these stations.

CREATE TABLE read.owner_set_aside (
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (partition, record_offset)
);
CREATE INDEX owner_set_aside_by_tenant ON read.owner_set_aside (tenant, partition, record_offset);
