-- What the journal never holds. The journal names a row here as "secret:<id>"; ids are never reused.

CREATE TABLE vault.passwords (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    tenant text NOT NULL,
    station text NOT NULL,
    verifier text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'recorded', 'removed')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vault.passwords IS
    'Verifiers of station passwords (schemas/credentials.py). The registry says which one counts.';
COMMENT ON COLUMN vault.passwords.position IS
    'Commits in this order (see lock_passwords in vault.sql), so that caches read on from the last.';
COMMENT ON COLUMN vault.passwords.state IS
    'pending: written before the record that names it; recorded: that record is in the journal;
removed: a later record took the password away.';
CREATE INDEX passwords_of_station ON vault.passwords (tenant, station);

CREATE TABLE vault.secrets (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    station text NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vault.secrets IS
    'What must be handed out again (an AuthorizationKey on its way), encrypted; the key is not here.';

CREATE TABLE vault.api_keys (
    id uuid PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    tenant text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
COMMENT ON TABLE vault.api_keys IS
    'SHA-256 of bearer tokens, which are random and shown once. Revoked rows stay: once there was a
key, the API never again answers without one.';
CREATE UNIQUE INDEX api_keys_by_name ON vault.api_keys (tenant, name) WHERE revoked_at IS NULL;
