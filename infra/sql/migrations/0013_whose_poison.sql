-- Whose record was set aside; empty where nobody can read whose it was.

ALTER TABLE read.poison
    ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN station text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX poison_by_tenant ON read.poison (tenant, partition, record_offset);
