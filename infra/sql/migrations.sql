-- name: lock
SELECT pg_advisory_xact_lock(hashtext('chargeledger.migrations'));

-- name: create_table
CREATE TABLE IF NOT EXISTS public.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
SELECT number, name, sha256 FROM public.migrations ORDER BY number;

-- name: record
INSERT INTO public.migrations (number, name, sha256)
VALUES (%(number)s, %(name)s, %(sha256)s);
