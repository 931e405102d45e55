-- What stations hold beside their transactions: a value under a key of a facet. The facets and
-- their bounds are in domain/holdings.py.

CREATE TABLE read.station_state (
    tenant text COLLATE "C" NOT NULL,
    station text COLLATE "C" NOT NULL,
    facet text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value jsonb NOT NULL,
    recorded_at bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (tenant, station, facet, key)
) WITH (fillfactor = 80);
CREATE INDEX station_state_reservations ON read.station_state (tenant, station, key)
    WHERE facet = 'reservations';
CREATE INDEX station_state_reserved_for ON read.station_state
    (tenant, (lower(value ->> 'id_token')))
    WHERE facet = 'reservations';
