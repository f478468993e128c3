/**
 * Version 1 has a place for everything. Version 0 had `events` without attempts, one JSON blob `{inbox, history}` per actor
 * without `v`, and reminders without a period (they were all the watchdog's, 30 s). An empty file is version 0 as well.
 *
 * All of it stands here as it was then: what today's program calls a topic or a row must not change what this does.
 */
import type { DatabaseSync } from "node:sqlite";

const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

  -- topic: 0 inbound, 1 outbound, 2 receipts. seq: the order of publishing.
  CREATE TABLE bus (
    seq INTEGER PRIMARY KEY, topic INTEGER NOT NULL, subject TEXT NOT NULL, event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE dead (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic INTEGER NOT NULL, event TEXT NOT NULL,
    reason TEXT NOT NULL, attempts INTEGER NOT NULL, at INTEGER NOT NULL
  );

  -- A value that is NULL was removed and hides the one in "idle".
  CREATE TABLE state (id TEXT, key TEXT, value TEXT, PRIMARY KEY (id, key)) WITHOUT ROWID;
  -- All values of an actor that went idle, as one JSON object: TEXT, or a BLOB where deflated it is smaller.
  CREATE TABLE idle (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state NOT NULL);
  CREATE TABLE reminder (
    id TEXT, name TEXT, due INTEGER NOT NULL, period INTEGER NOT NULL, PRIMARY KEY (id, name)
  ) WITHOUT ROWID;
  CREATE INDEX reminder_due ON reminder (due);

  CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT NOT NULL, etag TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;
  CREATE INDEX record_expires ON record (expires) WHERE expires IS NOT NULL;

  -- every: NULL for a job that runs once.
  CREATE TABLE job (
    name TEXT PRIMARY KEY, due INTEGER NOT NULL, every INTEGER, data TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX job_due ON job (due);

  CREATE TABLE conversation (c INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
  CREATE TABLE transcript (
    c INTEGER, n INTEGER, key TEXT NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (c, n)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX transcript_key ON transcript (c, key);

  CREATE TABLE journal (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL, conversation TEXT NOT NULL, rule TEXT NOT NULL, at INTEGER NOT NULL
  );
  CREATE INDEX journal_conversation ON journal (conversation);
  CREATE TABLE blob (id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT, size INTEGER NOT NULL) WITHOUT ROWID;
`;

/** `json_set` on what is an object only: a history that was a bare array becomes `{v, items}`. */
const carryOver = `
  INSERT INTO bus (seq, topic, subject, event)
    SELECT id, CASE topic WHEN 'inbound' THEN 0 WHEN 'outbound' THEN 1 WHEN 'receipts' THEN 2 END,
      coalesce(event ->> '$.subject', ''), event
    FROM events;
  INSERT INTO state (id, key, value)
    SELECT actors.id, part.key, CASE part.type
      WHEN 'object' THEN json_set(part.value, '$.v', 1)
      ELSE json_object('v', 1, 'items', json(part.value)) END
    FROM actors, json_each(actors.blob) AS part WHERE part.type IN ('object', 'array');
  INSERT INTO reminder (id, name, due, period) SELECT actor, name, due, 30000 FROM reminders;
  DROP TABLE events;
  DROP TABLE actors;
  DROP TABLE reminders;
`;

export function toVersion1(db: DatabaseSync): void {
  const old = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'events'").get();
  db.exec(schema);
  if (old !== undefined) db.exec(carryOver);
}
