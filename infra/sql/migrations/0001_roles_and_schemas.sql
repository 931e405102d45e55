-- read: rows folded from the journal; dropped and rebuilt at will.
-- vault: what the log never holds (verifiers, secrets, API keys); no rebuild touches it.
-- billing: documented views over `read`; all that the role `billing` may see.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'billing') THEN
        CREATE ROLE billing NOLOGIN;
        ALTER ROLE billing SET default_transaction_read_only = on;
        ALTER ROLE billing SET statement_timeout = '60s';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role "billing" is missing and this role may not create it'
        USING HINT = 'As a superuser: CREATE ROLE billing LOGIN PASSWORD ''…'';';
END
$$;

CREATE SCHEMA read;
CREATE SCHEMA vault;
CREATE SCHEMA billing;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO billing', current_database());
END
$$;

GRANT USAGE ON SCHEMA billing TO billing;
-- Views read with their owner's rights; whatever later migrations put here is meant for billing.
ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO billing;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
