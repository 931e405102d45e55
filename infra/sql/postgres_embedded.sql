-- Run by the superuser when the embedded Postgres starts. In production a DBA does this.

-- name: database_exists
SELECT 1 FROM pg_database WHERE datname = 'chargeledger';

-- name: create_roles
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'chargeledger') THEN
        CREATE ROLE chargeledger LOGIN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'billing') THEN
        CREATE ROLE billing LOGIN CONNECTION LIMIT 20;
    END IF;
END
$$;

-- name: bound_billing
-- At every start: Postgres lets each role change its own.
ALTER ROLE billing RESET ALL;
ALTER ROLE billing PASSWORD NULL;
ALTER ROLE billing SET default_transaction_read_only = on;
ALTER ROLE billing SET statement_timeout = '60s';
ALTER ROLE billing SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE billing SET search_path = billing;

-- name: set_password
ALTER ROLE chargeledger PASSWORD {password};

-- name: close_template
-- Every role may make large objects, in its name and on our disk, unless this is said before the
-- database is copied.
REVOKE EXECUTE ON FUNCTION
    lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;

-- name: create_database
CREATE DATABASE chargeledger OWNER chargeledger;
