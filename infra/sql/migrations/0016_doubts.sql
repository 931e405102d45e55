-- What was told after the release of a CDR, and raises a doubt that no person has overruled.

CREATE TABLE read.cdr_doubts (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    doubts text[] NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at bigint NOT NULL
);
CREATE INDEX cdr_doubts_of_tenant ON read.cdr_doubts (tenant);
