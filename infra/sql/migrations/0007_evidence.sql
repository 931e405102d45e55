-- Where calibration law binds, the energy is a signed difference, which may have decimals. The views
-- in the way are taken down and put up again as they were, in the order in which they were made, with
-- their comments; who may read them follows from the schema.

DO $$
DECLARE
    seen record;
    again text := '';
BEGIN
    FOR seen IN
        SELECT oid, format('%I.%I', 'billing', relname) AS name
        FROM pg_class
        WHERE relnamespace = 'billing'::regnamespace AND relkind = 'v'
        ORDER BY oid
    LOOP
        again := again
            || format('CREATE VIEW %s AS %s;', seen.name, rtrim(pg_get_viewdef(seen.oid), ';'))
            || (
                SELECT coalesce(string_agg(
                    CASE WHEN d.objsubid = 0
                        THEN format('COMMENT ON VIEW %s IS %L;', seen.name, d.description)
                        ELSE format(
                            'COMMENT ON COLUMN %s.%I IS %L;', seen.name, a.attname, d.description
                        )
                    END, ''), '')
                FROM pg_description AS d
                LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
                WHERE d.objoid = seen.oid AND d.classoid = 'pg_class'::regclass
            );
    END LOOP;
    FOR seen IN
        SELECT format('%I.%I', 'billing', relname) AS name
        FROM pg_class
        WHERE relnamespace = 'billing'::regnamespace AND relkind = 'v'
        ORDER BY oid DESC
    LOOP
        EXECUTE format('DROP VIEW %s', seen.name);
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
    PRIMARY KEY (id, revision)
);
COMMENT ON TABLE read.cdr_revisions IS 'Every CDR as it was after each record that changed it.';
