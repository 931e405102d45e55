-- Commands of every version of OCPP, and where the jobs are that they began.

ALTER TABLE read.commands
    ADD COLUMN version text NOT NULL DEFAULT '1.6',
    ADD COLUMN command text NOT NULL DEFAULT '',
    ADD COLUMN progress text NOT NULL DEFAULT '';
