-- By partition the record before the position, [offset, digest]: by it a log is known again.

ALTER TABLE read.positions ADD COLUMN last jsonb NOT NULL DEFAULT '{}';
