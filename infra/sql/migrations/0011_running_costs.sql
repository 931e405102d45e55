-- What transactions that still run owe so far, of tenants that have tariffs.

CREATE TABLE read.running_costs (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    body jsonb,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON COLUMN read.running_costs.body IS 'Null: it is over, its CDR says what it owes.';
