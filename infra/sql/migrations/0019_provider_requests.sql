-- CALLs of stations that somebody else answers. request_id is "partition:offset" of the CALL.

CREATE TABLE read.provider_requests (
    tenant text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    version text NOT NULL,
    action text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    fate text COLLATE "C" NOT NULL,
    asked_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    settled_at bigint,
    answer text,
    actor text NOT NULL,
    call_offset bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX provider_requests_by_time ON read.provider_requests (tenant, asked_at, request_id);
CREATE INDEX provider_requests_waiting ON read.provider_requests (tenant, asked_at)
    WHERE fate = 'waiting';
