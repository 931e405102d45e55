-- name: wait_briefly
SET LOCAL lock_timeout = '5s';

-- name: lock_station
SELECT pg_advisory_lock(hashtextextended(%(name)s, 7));

-- name: unlock_station
SELECT pg_advisory_unlock(hashtextextended(%(name)s, 7));

-- name: lock_passwords
SELECT pg_advisory_xact_lock(hashtext('chargeledger.vault.passwords'));

-- name: insert_password
INSERT INTO vault.passwords (id, tenant, station, verifier)
VALUES (%(id)s, %(tenant)s, %(station)s, %(verifier)s);

-- name: record_password
UPDATE vault.passwords SET state = 'recorded' WHERE id = %(id)s;

-- name: remove_passwords
UPDATE vault.passwords SET state = 'removed'
WHERE tenant = %(tenant)s AND station = %(station)s;

-- name: current_password
SELECT id::text FROM vault.passwords
WHERE tenant = %(tenant)s AND station = %(station)s
    AND (state = 'recorded' OR state = 'pending' AND %(has_password)s)
ORDER BY state = 'recorded' DESC, position DESC LIMIT 1;

-- name: passwords_after
SELECT position, id::text, verifier FROM vault.passwords
WHERE position > %(position)s ORDER BY position LIMIT %(limit)s;

-- name: insert_secret
INSERT INTO vault.secrets (id, tenant, station, ciphertext)
VALUES (%(id)s, %(tenant)s, %(station)s, %(ciphertext)s)
ON CONFLICT (id) DO NOTHING;

-- name: secret
SELECT ciphertext FROM vault.secrets WHERE id::text = %(id)s;

-- name: insert_key
INSERT INTO vault.api_keys (id, hash, tenant, name, role, actor)
VALUES (%(id)s, %(hash)s, %(tenant)s, %(name)s, %(role)s, %(actor)s);

-- name: keys
SELECT id::text, tenant, name, role, actor, created_at FROM vault.api_keys
WHERE revoked_at IS NULL AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
ORDER BY tenant, name;

-- name: revoke_key
UPDATE vault.api_keys SET revoked_at = now()
WHERE tenant = %(tenant)s AND name = %(name)s AND revoked_at IS NULL;

-- name: key_by_hash
SELECT id::text, tenant, name, role, actor FROM vault.api_keys
WHERE hash = %(hash)s AND revoked_at IS NULL;

-- name: any_key
SELECT EXISTS (SELECT 1 FROM vault.api_keys);
