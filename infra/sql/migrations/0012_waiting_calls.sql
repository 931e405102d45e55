-- Since when stations of a partition wait for its owner, who decided nothing since.

ALTER TABLE read.positions ADD COLUMN waiting jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN read.positions.waiting IS 'By partition: our clock, in microseconds.';
