-- Where calibration law binds, the energy is a signed difference, which may have decimals. A view in
-- the way is taken down and put up again as it was, with its comments.

DO $$
DECLARE
    seen text;
    again text := '';
BEGIN
    FOREACH seen IN ARRAY ARRAY['billing.cdrs', 'billing.transactions'] LOOP
        again := again || format('CREATE VIEW %s AS %s;', seen, rtrim(pg_get_viewdef(seen::regclass), ';'))
            || (
                SELECT coalesce(string_agg(
                    CASE WHEN d.objsubid = 0
                        THEN format('COMMENT ON VIEW %s IS %L;', seen, d.description)
                        ELSE format('COMMENT ON COLUMN %s.%I IS %L;', seen, a.attname, d.description)
                    END, ''), '')
                FROM pg_description AS d
                LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
                WHERE d.objoid = seen::regclass AND d.classoid = 'pg_class'::regclass
            );
        EXECUTE format('DROP VIEW %s', seen);
    END LOOP;
    ALTER TABLE read.transactions ALTER COLUMN energy_wh TYPE numeric;
    ALTER TABLE read.cdrs ALTER COLUMN energy_wh TYPE numeric;
    EXECUTE again;
END
$$;

COMMENT ON COLUMN billing.cdrs.energy_wh IS
'Wh: stop minus start, or the signed difference where calibration law binds. Null is unknown, never zero.';

CREATE TABLE read.cdr_revisions (
    id uuid NOT NULL,
    revision bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    body text NOT NULL,
    sha256 text NOT NULL,
    PRIMARY KEY (id, partition, record_offset)
);
COMMENT ON TABLE read.cdr_revisions IS 'Every CDR as it was after each record that changed it.';
