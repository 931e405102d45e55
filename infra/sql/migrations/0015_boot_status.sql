-- What a station's last BootNotification was answered.

ALTER TABLE read.stations ADD COLUMN boot_status text NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW billing.stations AS
SELECT
    tenant, station, registered, name, online, version,
    timestamptz 'epoch' + connected_at * interval '1 microsecond' AS connected_at,
    timestamptz 'epoch' + last_seen * interval '1 microsecond' AS last_seen,
    faulted, vendor, model, serial_number, firmware_version, boot_status
FROM read.stations;

COMMENT ON COLUMN billing.stations.boot_status IS
'Accepted, Pending or Rejected: what its last boot was answered; empty: it never booted here.';
