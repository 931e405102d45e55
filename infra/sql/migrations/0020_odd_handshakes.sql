-- Which rules of docs/tolerance.md let a handshake through. Rows that are older say nothing.

ALTER TABLE read.connections ADD COLUMN violations text[] NOT NULL DEFAULT '{}';
