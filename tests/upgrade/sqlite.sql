BEGIN TRANSACTION;
CREATE TABLE taskflow_answers (
    user_id     TEXT    NOT NULL REFERENCES taskflow_users (id),
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE taskflow_credentials (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    password   TEXT    NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_credentials" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f','$argon2id$v=19$m=19456,t=2,p=1$E71K5+OnlFBOPUs4kTg5+w$VcsPU/B7ZPxhdyyuNd2Utvsvo7bsgMWiPJvtO7PzFHc',1796076920227449);
INSERT INTO "taskflow_credentials" VALUES('01a22e88-0435-7000-a833-18c5d844d089','$argon2id$v=19$m=19456,t=2,p=1$ihVoOZkGcXLjIa16BsEmNQ$bw9/IiPO9usQI9VmItgX3HbQZBcjLmEPwVy8FRTvu6o',1796076995637857);
INSERT INTO "taskflow_credentials" VALUES('01a22e88-05f3-7000-b900-ee359a57ced3','$argon2id$v=19$m=19456,t=2,p=1$FKhCLjaOYO6W8TCoILlz6A$bnhw5sOBFbqFjniKhijPBDQc7lQEDwEAHm8x/BtC1xg',1796076996083474);
INSERT INTO "taskflow_credentials" VALUES('01a22e88-7c84-7000-8613-0dad3b4893ed','$argon2id$v=19$m=19456,t=2,p=1$16Us1BHaOJXNF5lbxm83Qw$PUrTae0O3jh/CO9wGMj+A/KJW5F/nBrS3qSMQ0zeAw4',1796077026436767);
CREATE TABLE taskflow_deliveries (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    dedupe_key        TEXT    NOT NULL UNIQUE,
    kind              TEXT    NOT NULL,
    notice            TEXT    NOT NULL,
    priority          INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    recipient_user    TEXT,
    recipient_address TEXT,
    state             TEXT    NOT NULL
        CHECK (state IN ('scheduled', 'claimed', 'delivered', 'discarded', 'cancelled', 'expired')),
    planned_at        INTEGER NOT NULL,
    due_at            INTEGER NOT NULL,
    next_at           INTEGER NOT NULL,
    attempts          INTEGER NOT NULL CHECK (attempts >= 0),
    first_claimed_at  INTEGER,
    settled_at        INTEGER,
    -- Who holds the claim, and until when by the clock of the database.
    lease             TEXT,
    lease_until       INTEGER,
    -- It was cancelled while claimed: what becomes of it is decided by the settlement.
    cancel_requested  INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    last_error        TEXT,
    reply             TEXT,
    reason            TEXT    NOT NULL,
    CHECK ((recipient_user IS NULL) <> (recipient_address IS NULL)),
    CHECK ((state = 'claimed') = (lease IS NOT NULL)),
    CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
    CHECK (state = 'claimed' OR cancel_requested = 0),
    CHECK ((state IN ('scheduled', 'claimed')) = (settled_at IS NULL))
) STRICT;
INSERT INTO "taskflow_deliveries" VALUES('01a22e86-dda3-7002-9f3f-cd0134764f82','welcome/01a22e86-dda3-7000-bcfb-9cf57ebfb19f','welcome','{"kind":"welcome","token":"01a22e86-dda3-7001-beb4-a05acedf17b0"}',0,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f',NULL,'delivered',1796076920227449,1796076920227449,1796077005142453,0,1796076920235573,1796077018196776,NULL,NULL,0,'127.0.0.1:8472: cannot connect: Connection refused (os error 111)','250 taken','the account was made');
INSERT INTO "taskflow_deliveries" VALUES('01a22e86-ddee-7003-b3b9-0e16cb17e4a1','meeting-reminder/01a22e86-ddee-7000-8c80-3d809691b603/1796076990000000/01a22e86-ddee-7001-9dbc-64eb25e55ebe/1','meeting_reminder','{"kind":"meeting_reminder","meeting":"01a22e86-ddee-7000-8c80-3d809691b603","participant":"01a22e86-ddee-7001-9dbc-64eb25e55ebe","starts_at":"2026-11-30T22:16:30.000000Z","minutes":1,"message":null}',1,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f',NULL,'expired',1796076920302410,1796076930000000,1796077002701214,0,1796076930000628,1796077018181492,NULL,NULL,0,'127.0.0.1:8472: cannot connect: Connection refused (os error 111)',NULL,'it was too late to be of use');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-02ff-7002-89fb-db46e9d3fd96','task-due/01a22e88-02ff-7000-a59d-8ea6ef2b2dbc/1935734400000000/15','task_due','{"kind":"task_due","task":"01a22e88-02ff-7000-a59d-8ea6ef2b2dbc","due_at":"2031-05-05T08:00:00.000000Z"}',2,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f',NULL,'scheduled',1796076995327717,1935733500000000,1935733500000000,0,NULL,NULL,NULL,NULL,0,NULL,NULL,'the task asks for a reminder');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-030c-7002-ac27-82dbb0958e23','task-due/01a22e88-030c-7000-a372-128d439ba94a/1935734400000000/30','task_due','{"kind":"task_due","task":"01a22e88-030c-7000-a372-128d439ba94a","due_at":"2031-05-05T08:00:00.000000Z"}',2,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f',NULL,'cancelled',1796076995340375,1935732600000000,1935732600000000,0,NULL,1796076995356473,NULL,NULL,0,NULL,NULL,'the task was changed');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-0330-7004-aa17-ea904f545e2c','meeting-invite/01a22e88-0330-7000-8870-a8e372aa2edf/01a22e88-0330-7002-9a0a-0cf74217eeba/1','meeting_invite','{"kind":"meeting_invite","meeting":"01a22e88-0330-7000-8870-a8e372aa2edf","participant":"01a22e88-0330-7002-9a0a-0cf74217eeba"}',1,NULL,'ok2@example.com','delivered',1796076995376422,1796076995376422,1796076995376422,0,1796077018181492,1796077018197578,NULL,NULL,0,NULL,'250 taken','the organizer invites');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-0330-7005-bba5-5915a90d61f7','meeting-reminder/01a22e88-0330-7000-8870-a8e372aa2edf/1935817200000000/01a22e88-0330-7001-883c-d59ae72bc715/15','meeting_reminder','{"kind":"meeting_reminder","meeting":"01a22e88-0330-7000-8870-a8e372aa2edf","participant":"01a22e88-0330-7001-883c-d59ae72bc715","starts_at":"2031-05-06T07:00:00.000000Z","minutes":15,"message":null}',1,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f',NULL,'scheduled',1796076995376422,1935816300000000,1935816300000000,0,NULL,NULL,NULL,NULL,0,NULL,NULL,'15 minutes before the meeting');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-0330-7006-8a79-0a6ee597828b','meeting-reminder/01a22e88-0330-7000-8870-a8e372aa2edf/1935817200000000/01a22e88-0330-7002-9a0a-0cf74217eeba/15','meeting_reminder','{"kind":"meeting_reminder","meeting":"01a22e88-0330-7000-8870-a8e372aa2edf","participant":"01a22e88-0330-7002-9a0a-0cf74217eeba","starts_at":"2031-05-06T07:00:00.000000Z","minutes":15,"message":null}',1,NULL,'ok2@example.com','scheduled',1796076995376422,1935816300000000,1935816300000000,0,NULL,NULL,NULL,NULL,0,NULL,NULL,'15 minutes before the meeting');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-0435-7002-b46a-ca3ec2168eda','welcome/01a22e88-0435-7000-a833-18c5d844d089','welcome','{"kind":"welcome","token":"01a22e88-0435-7001-b853-11b2c0eb85b7"}',0,'01a22e88-0435-7000-a833-18c5d844d089',NULL,'discarded',1796076995637857,1796076995637857,1796076995637857,1,1796077018181492,1796077018187680,NULL,NULL,0,'550 5.1.1 no such mailbox',NULL,'the account was made');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-05f3-7002-b1ab-abaec6b971fa','welcome/01a22e88-05f3-7000-b900-ee359a57ced3','welcome','{"kind":"welcome","token":"01a22e88-05f3-7001-93bc-f7562a3f4408"}',0,'01a22e88-05f3-7000-b900-ee359a57ced3',NULL,'scheduled',1796076996083474,1796076996083474,1796080448909977,1,1796077018181492,NULL,NULL,NULL,0,'451 4.2.0 try again later',NULL,'the account was made');
INSERT INTO "taskflow_deliveries" VALUES('01a22e88-7c84-7002-b200-a69506ce65c2','welcome/01a22e88-7c84-7000-8613-0dad3b4893ed','welcome','{"kind":"welcome","token":"01a22e88-7c84-7001-b799-e3606fa9f318"}',0,'01a22e88-7c84-7000-8613-0dad3b4893ed',NULL,'claimed',1796077026436767,1796077026436767,1796077026436767,0,1796077026447788,NULL,'01a22e88-7c8f-7000-b8ca-c151924c97bf',1796077146448000,0,NULL,NULL,'the account was made');
CREATE TABLE taskflow_delivery_attempts (
    delivery_id TEXT    NOT NULL REFERENCES taskflow_deliveries (id),
    attempt     INTEGER NOT NULL CHECK (attempt >= 1),
    at          INTEGER NOT NULL,
    error       TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_delivery_attempts" VALUES('01a22e88-0435-7002-b46a-ca3ec2168eda',1,1796077018187680,'550 5.1.1 no such mailbox');
INSERT INTO "taskflow_delivery_attempts" VALUES('01a22e88-05f3-7002-b1ab-abaec6b971fa',1,1796077018193054,'451 4.2.0 try again later');
CREATE TABLE taskflow_events (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    at          INTEGER NOT NULL,
    actor       TEXT,
    entity_kind TEXT    NOT NULL,
    entity_id   TEXT    NOT NULL CHECK (length(entity_id) = 36),
    kind        TEXT    NOT NULL,
    data        TEXT    NOT NULL CHECK (json_valid(data)),
    -- 0: the entity is gone, and the event stays only because somebody else's feed still has it.
    in_history  INTEGER NOT NULL DEFAULT 1 CHECK (in_history IN (0, 1))
) STRICT;
INSERT INTO "taskflow_events" VALUES('01a22e86-ddee-7002-ad2f-f3d972410918',1796076920302410,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f','meeting','01a22e86-ddee-7000-8c80-3d809691b603','meeting_created','{"changes":{"duration_minutes":{"is":60,"was":null},"is_active":{"is":true,"was":null},"meeting_date":{"is":"2026-11-30T22:16:30.000000Z","was":null},"meeting_type":{"is":"in_person","was":null},"participants":{"is":[{"id":"01a22e86-ddee-7001-9dbc-64eb25e55ebe","response_status":"accepted","role":"organizer"}],"was":null},"reminder_minutes":{"is":1,"was":null},"status":{"is":"scheduled","was":null},"time_zone":{"is":"UTC","was":null},"title":{"is":"Expires while the relay is away","was":null}},"id":"01a22e86-ddee-7000-8c80-3d809691b603","version":1}',1);
INSERT INTO "taskflow_events" VALUES('01a22e88-02ff-7001-bae0-c3a982413bb9',1796076995327717,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f','task','01a22e88-02ff-7000-a59d-8ea6ef2b2dbc','task_created','{"changes":{"due_at":{"is":"2031-05-05T08:00:00.000000Z","was":null},"priority":{"is":"medium","was":null},"reminder_minutes":{"is":15,"was":null},"status":{"is":"pending","was":null},"title":{"is":"scheduled","was":null}},"id":"01a22e88-02ff-7000-a59d-8ea6ef2b2dbc","version":1}',1);
INSERT INTO "taskflow_events" VALUES('01a22e88-030c-7001-8570-935471815981',1796076995340375,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f','task','01a22e88-030c-7000-a372-128d439ba94a','task_created','{"changes":{"due_at":{"is":"2031-05-05T08:00:00.000000Z","was":null},"priority":{"is":"medium","was":null},"reminder_minutes":{"is":30,"was":null},"status":{"is":"pending","was":null},"title":{"is":"cancelled","was":null}},"id":"01a22e88-030c-7000-a372-128d439ba94a","version":1}',1);
INSERT INTO "taskflow_events" VALUES('01a22e88-031c-7000-b62b-5b934a2497a2',1796076995356473,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f','task','01a22e88-030c-7000-a372-128d439ba94a','task_deleted','{"changes":{},"id":"01a22e88-030c-7000-a372-128d439ba94a","version":2}',1);
INSERT INTO "taskflow_events" VALUES('01a22e88-0330-7003-8ab8-64e748b4253b',1796076995376422,'01a22e86-dda3-7000-bcfb-9cf57ebfb19f','meeting','01a22e88-0330-7000-8870-a8e372aa2edf','meeting_created','{"changes":{"duration_minutes":{"is":60,"was":null},"is_active":{"is":true,"was":null},"meeting_date":{"is":"2031-05-06T07:00:00.000000Z","was":null},"meeting_type":{"is":"in_person","was":null},"participants":{"is":[{"id":"01a22e88-0330-7001-883c-d59ae72bc715","response_status":"accepted","role":"organizer"},{"id":"01a22e88-0330-7002-9a0a-0cf74217eeba","response_status":"pending","role":"attendee"}],"was":null},"reminder_minutes":{"is":15,"was":null},"status":{"is":"scheduled","was":null},"time_zone":{"is":"Europe/Berlin","was":null},"title":{"is":"Plans","was":null}},"id":"01a22e88-0330-7000-8870-a8e372aa2edf","version":1}',1);
CREATE TABLE taskflow_feed (
    user_id  TEXT    NOT NULL REFERENCES taskflow_users (id),
    seq      INTEGER NOT NULL CHECK (seq >= 1),
    event_id TEXT    NOT NULL REFERENCES taskflow_events (id),
    PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_feed" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',1,'01a22e86-ddee-7002-ad2f-f3d972410918');
INSERT INTO "taskflow_feed" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',2,'01a22e88-02ff-7001-bae0-c3a982413bb9');
INSERT INTO "taskflow_feed" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',3,'01a22e88-030c-7001-8570-935471815981');
INSERT INTO "taskflow_feed" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',4,'01a22e88-031c-7000-b62b-5b934a2497a2');
INSERT INTO "taskflow_feed" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',5,'01a22e88-0330-7003-8ab8-64e748b4253b');
CREATE TABLE taskflow_feed_heads (
    user_id TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    seq     INTEGER NOT NULL CHECK (seq >= 1)
, changed_at INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_feed_heads" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f',5,1796076995376422);
CREATE TABLE taskflow_job_runs (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    job         TEXT    NOT NULL REFERENCES taskflow_jobs (name),
    slot        INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    trigger     TEXT    NOT NULL CHECK (trigger IN ('schedule', 'slot', 'now')),
    dry_run     INTEGER NOT NULL CHECK (dry_run IN (0, 1)),
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    node        TEXT,
    tries       INTEGER NOT NULL CHECK (tries >= 0),
    cursor      TEXT,
    counts      TEXT    NOT NULL CHECK (json_valid(counts)),
    error       TEXT,
    -- Who holds it, and until when by the clock of the database.
    lease       TEXT,
    lease_until INTEGER,
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK (finished_at IS NULL OR lease IS NULL)
) STRICT;
CREATE TABLE taskflow_jobs (
    name      TEXT    NOT NULL PRIMARY KEY,
    -- Everything up to here is taken care of.
    slot      INTEGER NOT NULL,
    -- Since when the schedule is not followed.
    paused_at INTEGER,
    -- What the last run left for the next.
    memo      TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_jobs" VALUES('daily_summaries',1796077020000000,NULL,NULL);
INSERT INTO "taskflow_jobs" VALUES('data_cleanup',1796004000000000,NULL,NULL);
INSERT INTO "taskflow_jobs" VALUES('meeting_reminders',1796076900000000,NULL,NULL);
INSERT INTO "taskflow_jobs" VALUES('server_monitoring',1796076900000000,NULL,NULL);
INSERT INTO "taskflow_jobs" VALUES('statistics',1796076000000000,NULL,NULL);
INSERT INTO "taskflow_jobs" VALUES('task_reminders',1796077020000000,NULL,NULL);
CREATE TABLE taskflow_ledger_totals (
    day   TEXT    NOT NULL CHECK (length(day) = 10),
    kind  TEXT    NOT NULL,
    state TEXT    NOT NULL CHECK (state IN ('delivered', 'discarded', 'cancelled', 'expired')),
    count INTEGER NOT NULL CHECK (count >= 1),
    PRIMARY KEY (day, kind, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE taskflow_mailbox (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    kept_at   INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    text      TEXT    NOT NULL,
    html      TEXT,
    source    TEXT    NOT NULL
) STRICT;
CREATE TABLE taskflow_meeting_participants (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    meeting_id      TEXT    NOT NULL REFERENCES taskflow_meetings (id),
    -- A guest has no account.
    user_id         TEXT    REFERENCES taskflow_users (id),
    email           TEXT    NOT NULL,
    email_key       TEXT    NOT NULL,
    name            TEXT,
    role            TEXT    NOT NULL CHECK (role IN ('organizer', 'attendee', 'optional')),
    response_status TEXT    NOT NULL CHECK (response_status IN ('pending', 'accepted', 'declined', 'tentative')),
    comment         TEXT,
    responded_at    INTEGER,
    -- Their own minutes as a JSON array; NULL: as the meeting says.
    reminders       TEXT
        CHECK (reminders IS NULL OR CASE WHEN json_valid(reminders)
            THEN json_type(reminders) = 'array' AND json_array_length(reminders) <= 5 ELSE 0 END),
    -- The version of the meeting that they were told of last, and whether it was on for them.
    told_version    INTEGER CHECK (told_version >= 1),
    told_on         INTEGER CHECK (told_on IN (0, 1)),
    removed_at      INTEGER,
    version         INTEGER NOT NULL CHECK (version >= 1), answered_version INTEGER CHECK (answered_version >= 1), reset_response TEXT
    CHECK (reset_response IN ('accepted', 'declined', 'tentative')), proposed_start INTEGER, locale TEXT, time_zone TEXT, delivery_problem TEXT, merged_into TEXT,
    CHECK ((told_version IS NULL) = (told_on IS NULL))
) STRICT;
INSERT INTO "taskflow_meeting_participants" VALUES('01a22e86-ddee-7001-9dbc-64eb25e55ebe','01a22e86-ddee-7000-8c80-3d809691b603','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1@example.com','ok1@example.com','ok1','organizer','accepted',NULL,1796076920302410,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "taskflow_meeting_participants" VALUES('01a22e88-0330-7001-883c-d59ae72bc715','01a22e88-0330-7000-8870-a8e372aa2edf','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1@example.com','ok1@example.com','ok1','organizer','accepted',NULL,1796076995376422,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "taskflow_meeting_participants" VALUES('01a22e88-0330-7002-9a0a-0cf74217eeba','01a22e88-0330-7000-8870-a8e372aa2edf',NULL,'ok2@example.com','ok2@example.com','Grace','attendee','pending',NULL,NULL,NULL,1,1,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE taskflow_meeting_revisions (
    meeting_id TEXT    NOT NULL REFERENCES taskflow_meetings (id),
    version    INTEGER NOT NULL CHECK (version >= 1),
    facts      TEXT    NOT NULL CHECK (json_valid(facts)), sequence INTEGER CHECK (sequence BETWEEN 0 AND 4294967295),
    PRIMARY KEY (meeting_id, version)
) STRICT;
INSERT INTO "taskflow_meeting_revisions" VALUES('01a22e86-ddee-7000-8c80-3d809691b603',1,'{"title":"Expires while the relay is away","starts_at":"2026-11-30T22:16:30.000000Z","duration_minutes":60,"meeting_type":"in_person"}',0);
INSERT INTO "taskflow_meeting_revisions" VALUES('01a22e88-0330-7000-8870-a8e372aa2edf',1,'{"title":"Plans","starts_at":"2031-05-06T07:00:00.000000Z","duration_minutes":60,"meeting_type":"in_person"}',0);
CREATE TABLE taskflow_meetings (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- Who called it; nobody once that account is gone.
    created_by       TEXT    REFERENCES taskflow_users (id),
    -- How calendars know the organizer, whatever becomes of the account.
    organizer_name   TEXT,
    organizer_email  TEXT    NOT NULL,
    title            TEXT    NOT NULL,
    title_key        TEXT    NOT NULL,
    description      TEXT,
    -- Title, description and location, one line each and more, folded: where words are looked for.
    search_text      TEXT    NOT NULL,
    meeting_date     INTEGER NOT NULL,
    -- What the clock on the wall of the zone shows then: microseconds since it showed 1970-01-01T00:00:00.
    local_start      INTEGER NOT NULL,
    time_zone        TEXT    NOT NULL,
    -- The version of the time zone database that meeting_date was found with.
    tzdb             TEXT    NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes BETWEEN 1 AND 1440),
    location         TEXT,
    meeting_url      TEXT,
    meeting_type     TEXT    NOT NULL CHECK (meeting_type IN ('in_person', 'virtual', 'hybrid')),
    reminder_minutes INTEGER NOT NULL CHECK (reminder_minutes BETWEEN 0 AND 40320),
    ended_at         INTEGER,
    cancelled_at     INTEGER,
    sequence         INTEGER NOT NULL CHECK (sequence BETWEEN 0 AND 4294967295),
    burst_since      INTEGER,
    burst_due_at     INTEGER,
    burst_version    INTEGER CHECK (burst_version >= 1),
    version          INTEGER NOT NULL CHECK (version >= 1),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CHECK ((burst_since IS NULL) = (burst_due_at IS NULL)),
    CHECK ((burst_since IS NULL) = (burst_version IS NULL))
) STRICT;
INSERT INTO "taskflow_meetings" VALUES('01a22e86-ddee-7000-8c80-3d809691b603','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1','ok1@example.com','Expires while the relay is away','expires while the relay is away',NULL,'expires while the relay is away

',1796076990000000,1796076990000000,'UTC','2026f',60,NULL,NULL,'in_person',1,NULL,NULL,0,NULL,NULL,NULL,1,1796076920302410,1796076920302410);
INSERT INTO "taskflow_meetings" VALUES('01a22e88-0330-7000-8870-a8e372aa2edf','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1','ok1@example.com','Plans','plans',NULL,'plans

',1935817200000000,1935824400000000,'Europe/Berlin','2026f',60,NULL,NULL,'in_person',15,NULL,NULL,0,NULL,NULL,NULL,1,1796076995376422,1796076995376422);
CREATE TABLE taskflow_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "taskflow_migrations" VALUES(1,'foundation','2026-11-30 22:15:19',1,X'45AAC5DB7B8083395C383A3472E3FCD943169590CBBAA1FA427D4437A4F82B00D2D74C7277C897FA452D4F01EB07ABF5',7425378);
INSERT INTO "taskflow_migrations" VALUES(2,'sessions','2026-11-30 22:15:19',1,X'4B8D69AE9DC66CF9E7CA06E03C2628D2CD2F0B8E5037D106E706499CCF43644207623CAA9C7B284395C69746B510508C',351474);
INSERT INTO "taskflow_migrations" VALUES(3,'meetings','2026-11-30 22:15:20',1,X'9C2DFD6E11A9087BD782D1DF0648B86AA725EA78BBBD46ECA319412586019EF2DABC8B40804ADA85AA8D0562A64F8CF2',658665);
INSERT INTO "taskflow_migrations" VALUES(4,'mail','2026-11-30 22:15:20',1,X'B582C7EF522E43AEF81A6BCDD327CCB77D20F0B6AA68ECF250570690BCC3A4178ED3E7FC94D455B6E221278CF5E487FA',2443862);
INSERT INTO "taskflow_migrations" VALUES(5,'mail indexes','2026-11-30 22:15:20',1,X'83FBD6F541668B7E77B97FFF37BB1471D8335E59D1A111FFFD125E8306A1ED8A74EFD7D655BF03C2AF77DAE5B4428272',128417);
INSERT INTO "taskflow_migrations" VALUES(6,'nodes','2026-11-30 22:15:20',1,X'FEFCE2726F18342CB01980920297683F946EE37591F42F568965F165E9A1B0653A89573260856E8F54E6C1C98CF7DF1B',96465);
INSERT INTO "taskflow_migrations" VALUES(7,'jobs','2026-11-30 22:15:20',1,X'259AAAE2661356D74F5F79918917A1F9CAFD603D7AC8A6EE4A22D3BC25B48B4D309133059E84039716ECAD6B921FD39F',1251522);
INSERT INTO "taskflow_migrations" VALUES(8,'answers','2026-11-30 22:15:20',1,X'3E635412385B1FF34AB1FC4844DCB75134D892B16D0FA3E65DFF358FEFC2AD8A267872D17E77B180B6A03BF08B547413',4468671);
INSERT INTO "taskflow_migrations" VALUES(9,'min version','2026-11-30 22:15:20',1,X'B997D760CF0F7FF8DC9D80584DCBDCE9499841AB066B1AB761867DD67F60128BC9ADC325D8338D7BD0FA02658AD6BB90',119796);
INSERT INTO "taskflow_migrations" VALUES(10,'suppression overrides','2026-11-30 22:15:20',1,X'350F970E8007DBD76511776438362E31B314455F7744C760AF6A427A4F46305D56FF9CDCBEF54F91DC3E92B1B6A5B6C5',608078);
INSERT INTO "taskflow_migrations" VALUES(11,'unsubscribes','2026-11-30 22:15:20',1,X'6EE75E379E4F0903E6612691DA38E24A33DF60A3738B6CAAD79F1694034A88001C7481DFF2FE4E94D53DA0656B16E40A',89515);
INSERT INTO "taskflow_migrations" VALUES(12,'search and refresh','2026-11-30 22:15:20',1,X'2454E90583E232F897D96BDC76B987A6DA8D7C613B91D6D7839D740555F40E7D85629ABBF92FA4DD54DEC299B296720E',676706);
INSERT INTO "taskflow_migrations" VALUES(13,'due days','2026-11-30 22:15:20',1,X'2854FA1E372B755ED98083E86EB3C3A42586C2F493B3F7438105E2F115D54F510594520927D1D3819FA3A0469501FEB6',638588);
CREATE TABLE taskflow_nodes (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    sends_mail INTEGER NOT NULL CHECK (sends_mail IN (0, 1)),
    -- Mails per second that it claims of a rate that all share.
    mail_rate  REAL CHECK (mail_rate >= 0),
    seen_at    INTEGER NOT NULL,
    live_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_nodes" VALUES('486a7a8b','0.1.0',1796076920067445,1,NULL,1796077025175000,1796077085175000);
CREATE TABLE taskflow_schema_info (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_schema_info" VALUES('min_version',1);
CREATE TABLE taskflow_search_refolds (
    name  TEXT NOT NULL PRIMARY KEY CHECK (name IN ('tasks', 'meetings')),
    after TEXT
) STRICT;
INSERT INTO "taskflow_search_refolds" VALUES('tasks',NULL);
INSERT INTO "taskflow_search_refolds" VALUES('meetings',NULL);
CREATE TABLE taskflow_sessions (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id    TEXT    NOT NULL CHECK (length(user_id) = 36),
    -- Hashes of refresh tokens; the tokens themselves are with their holders.
    token      TEXT    NOT NULL,
    previous   TEXT,
    device     TEXT,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    version    INTEGER NOT NULL CHECK (version >= 1)
, repeated INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1))) STRICT;
INSERT INTO "taskflow_sessions" VALUES('01a22e86-dde3-7000-b9f0-60a1399da092','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','0ac3001e149679847505f393a0c288eb8fa03a60890eef9c5e409da3fd5a4d62',NULL,'Python-urllib/3.11',1796076920291463,1796076920291463,1798668920291463,NULL,1,0);
INSERT INTO "taskflow_sessions" VALUES('01a22e88-0507-7000-a9a0-0795bdd6843c','01a22e88-0435-7000-a833-18c5d844d089','c0186b5692840ff9bc5523351f2827f3763a0d64d89e91f661535bc854d79948',NULL,'Python-urllib/3.11',1796076995847262,1796076995847262,1798668995847262,NULL,1,0);
INSERT INTO "taskflow_sessions" VALUES('01a22e88-06d7-7000-98f3-8e0ba254f2ab','01a22e88-05f3-7000-b900-ee359a57ced3','bcf4e645914fd999b90f57e406e1935972716a46ed4afecaaaa9a3cf942feb73',NULL,'Python-urllib/3.11',1796076996311457,1796076996311457,1798668996311457,NULL,1,0);
INSERT INTO "taskflow_sessions" VALUES('01a22e88-7cc7-7000-af21-26914e12e0bd','01a22e88-7c84-7000-8613-0dad3b4893ed','f95ad0a889c87546ef579c26d53b4c6bfd592d149f2594b350adfb5696b2f7f4',NULL,'Python-urllib/3.11',1796077026503085,1796077026503085,1798669026503085,NULL,1,0);
CREATE TABLE taskflow_suppressions (
    email_key TEXT    NOT NULL PRIMARY KEY,
    email     TEXT    NOT NULL,
    cause     TEXT    NOT NULL CHECK (cause IN ('refused', 'bounce', 'complaint', 'admin')),
    detail    TEXT    NOT NULL,
    at        INTEGER NOT NULL
, overrides INTEGER NOT NULL DEFAULT 0 CHECK (overrides >= 0)) STRICT, WITHOUT ROWID;
INSERT INTO "taskflow_suppressions" VALUES('bad1@example.com','bad1@example.com','refused','550 5.1.1 no such mailbox',1796077018187683,0);
CREATE TABLE taskflow_tasks (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id          TEXT    NOT NULL REFERENCES taskflow_users (id),
    title            TEXT    NOT NULL,
    title_key        TEXT    NOT NULL,
    description      TEXT,
    -- Title and description, one line each and more, folded: where words are looked for.
    search_text      TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed')),
    priority         INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 3),
    due_at           INTEGER,
    reminder_minutes INTEGER CHECK (reminder_minutes BETWEEN 0 AND 40320),
    completed_at     INTEGER,
    deleted_at       INTEGER,
    version          INTEGER NOT NULL CHECK (version >= 1),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL, due_on TEXT,
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CHECK (reminder_minutes IS NULL OR due_at IS NOT NULL)
) STRICT;
INSERT INTO "taskflow_tasks" VALUES('01a22e88-02ff-7000-a59d-8ea6ef2b2dbc','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','scheduled','scheduled',NULL,'scheduled
','pending',2,1935734400000000,15,NULL,NULL,1,1796076995327717,1796076995327717,NULL);
INSERT INTO "taskflow_tasks" VALUES('01a22e88-030c-7000-a372-128d439ba94a','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','cancelled','cancelled',NULL,'cancelled
','pending',2,1935734400000000,30,NULL,1796076995356473,2,1796076995340375,1796076995356473,NULL);
CREATE TABLE taskflow_tokens (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id    TEXT    NOT NULL REFERENCES taskflow_users (id),
    email      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at >= created_at),
    used_at    INTEGER
) STRICT;
INSERT INTO "taskflow_tokens" VALUES('01a22e86-dda3-7001-beb4-a05acedf17b0','verify_email','01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1@example.com',1796076920227449,1796681720227449,NULL);
INSERT INTO "taskflow_tokens" VALUES('01a22e88-0435-7001-b853-11b2c0eb85b7','verify_email','01a22e88-0435-7000-a833-18c5d844d089','bad1@example.com',1796076995637857,1796681795637857,NULL);
INSERT INTO "taskflow_tokens" VALUES('01a22e88-05f3-7001-93bc-f7562a3f4408','verify_email','01a22e88-05f3-7000-b900-ee359a57ced3','later1@example.com',1796076996083474,1796681796083474,NULL);
INSERT INTO "taskflow_tokens" VALUES('01a22e88-7c84-7001-b799-e3606fa9f318','verify_email','01a22e88-7c84-7000-8613-0dad3b4893ed','hang1@example.com',1796077026436767,1796681826436767,NULL);
CREATE TABLE taskflow_unsubscribes (
    email_key TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    email     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (email_key, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE taskflow_user_statistics (
    user_id      TEXT    NOT NULL PRIMARY KEY REFERENCES taskflow_users (id),
    counted_at   INTEGER NOT NULL,
    total        INTEGER NOT NULL CHECK (total >= 0),
    pending      INTEGER NOT NULL CHECK (pending >= 0),
    in_progress  INTEGER NOT NULL CHECK (in_progress >= 0),
    completed    INTEGER NOT NULL CHECK (completed >= 0),
    overdue      INTEGER NOT NULL CHECK (overdue >= 0),
    -- From making to completing, of all completed tasks together.
    lead_seconds INTEGER NOT NULL CHECK (lead_seconds >= 0),
    streak_days  INTEGER NOT NULL CHECK (streak_days BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
CREATE TABLE taskflow_users (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    username       TEXT    NOT NULL,
    username_key   TEXT    NOT NULL,
    email          TEXT    NOT NULL,
    email_key      TEXT    NOT NULL,
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    time_zone      TEXT    NOT NULL,
    locale         TEXT    NOT NULL,
    is_active      INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_admin       INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    version        INTEGER NOT NULL CHECK (version >= 1),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
, mail_off TEXT NOT NULL DEFAULT '[]'
    CHECK (CASE WHEN json_valid(mail_off) THEN json_type(mail_off) = 'array' ELSE 0 END), quiet_from INTEGER CHECK (quiet_from BETWEEN 0 AND 1439), quiet_until INTEGER
    CHECK (quiet_until BETWEEN 0 AND 1439)
    CHECK (CASE WHEN quiet_from IS NULL THEN quiet_until IS NULL ELSE quiet_from <> coalesce(quiet_until, quiet_from) END), summary_minute INTEGER NOT NULL DEFAULT 540
    CHECK (summary_minute BETWEEN 0 AND 1439), summary_days INTEGER NOT NULL DEFAULT 127 CHECK (summary_days BETWEEN 0 AND 127)) STRICT;
INSERT INTO "taskflow_users" VALUES('01a22e86-dda3-7000-bcfb-9cf57ebfb19f','ok1','ok1','ok1@example.com','ok1@example.com',0,'UTC','en',1,0,1,1796076920227449,1796076920227449,'[]',NULL,NULL,540,127);
INSERT INTO "taskflow_users" VALUES('01a22e88-0435-7000-a833-18c5d844d089','bad1','bad1','bad1@example.com','bad1@example.com',0,'UTC','en',1,0,2,1796076995637857,1796076995637857,'[]',NULL,NULL,540,127);
INSERT INTO "taskflow_users" VALUES('01a22e88-05f3-7000-b900-ee359a57ced3','later1','later1','later1@example.com','later1@example.com',0,'UTC','en',1,0,1,1796076996083474,1796076996083474,'[]',NULL,NULL,540,127);
INSERT INTO "taskflow_users" VALUES('01a22e88-7c84-7000-8613-0dad3b4893ed','hang1','hang1','hang1@example.com','hang1@example.com',0,'UTC','en',1,0,1,1796077026436767,1796077026436767,'[]',NULL,NULL,540,127);
CREATE UNIQUE INDEX taskflow_idx_users_username ON taskflow_users (username_key);
CREATE UNIQUE INDEX taskflow_idx_users_email ON taskflow_users (email_key);
CREATE INDEX taskflow_idx_users_active ON taskflow_users (id) WHERE is_active = 1;
CREATE INDEX taskflow_idx_tasks_user_id ON taskflow_tasks (user_id, deleted_at, created_at, id);
CREATE INDEX taskflow_idx_tasks_user_status ON taskflow_tasks (user_id, deleted_at, status, due_at);
CREATE INDEX taskflow_idx_deliveries_scheduled ON taskflow_deliveries (priority, next_at, id) WHERE state = 'scheduled';
CREATE INDEX taskflow_idx_deliveries_claimed ON taskflow_deliveries (lease_until) WHERE state = 'claimed';
CREATE INDEX taskflow_idx_events_entity ON taskflow_events (entity_kind, entity_id, at, id);
CREATE INDEX taskflow_idx_feed_event ON taskflow_feed (event_id);
CREATE INDEX taskflow_idx_mailbox_kept_at ON taskflow_mailbox (kept_at, id);
CREATE VIEW taskflow_outbox_status AS
SELECT
    d.id,
    d.kind,
    coalesce(d.recipient_address, u.email) AS recipient,
    d.state,
    d.attempts,
    strftime('%Y-%m-%dT%H:%M:%S', d.due_at / 1000000, 'unixepoch') || printf('.%06dZ', d.due_at % 1000000) AS due_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.next_at / 1000000, 'unixepoch') || printf('.%06dZ', d.next_at % 1000000) AS next_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.first_claimed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.first_claimed_at % 1000000) AS first_claimed_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.settled_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.settled_at % 1000000) AS settled_at,
    d.dedupe_key,
    d.last_error
FROM taskflow_deliveries AS d
LEFT JOIN taskflow_users AS u ON u.id = d.recipient_user;
CREATE INDEX taskflow_idx_sessions_user_id ON taskflow_sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX taskflow_idx_sessions_ended_at ON taskflow_sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX taskflow_idx_meetings_created_by ON taskflow_meetings (created_by);
CREATE INDEX taskflow_idx_meetings_meeting_date ON taskflow_meetings (meeting_date, id)
    WHERE cancelled_at IS NULL AND ended_at IS NULL;
CREATE INDEX taskflow_idx_meetings_tzdb ON taskflow_meetings (tzdb, meeting_date)
    WHERE cancelled_at IS NULL AND ended_at IS NULL;
CREATE UNIQUE INDEX taskflow_idx_meeting_participants_email
    ON taskflow_meeting_participants (meeting_id, email_key);
CREATE INDEX taskflow_idx_meeting_participants_user_id
    ON taskflow_meeting_participants (user_id, removed_at, meeting_id) WHERE user_id IS NOT NULL;
CREATE INDEX taskflow_idx_meeting_participants_guests ON taskflow_meeting_participants (email_key) WHERE user_id IS NULL;
CREATE INDEX taskflow_idx_tokens_user_id ON taskflow_tokens (user_id);
CREATE VIEW taskflow_meeting_reminders AS
SELECT
    d.id,
    d.meeting_id,
    d.participant_id,
    p.email,
    d.minutes,
    strftime('%Y-%m-%dT%H:%M:%S', d.planned_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.planned_at % 1000000) AS planned_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.due_at / 1000000, 'unixepoch') || printf('.%06dZ', d.due_at % 1000000) AS due_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.next_at / 1000000, 'unixepoch') || printf('.%06dZ', d.next_at % 1000000) AS next_at,
    CASE d.state WHEN 'delivered' THEN strftime('%Y-%m-%dT%H:%M:%S', d.settled_at / 1000000, 'unixepoch')
        || printf('.%06dZ', d.settled_at % 1000000) END AS sent_at,
    d.state,
    d.attempts,
    d.last_error,
    d.reply,
    d.reason
FROM (
    SELECT *,
        -- A notice that is no JSON spoils nothing but its own row.
        CASE WHEN json_valid(notice) THEN notice ->> 'meeting' END AS meeting_id,
        CASE WHEN json_valid(notice) THEN notice ->> 'participant' END AS participant_id,
        CASE WHEN json_valid(notice) THEN notice ->> 'minutes' END AS minutes
    FROM taskflow_deliveries
    WHERE kind = 'meeting_reminder') AS d
LEFT JOIN taskflow_meeting_participants AS p ON p.id = d.participant_id;
CREATE INDEX taskflow_idx_users_summary ON taskflow_users (time_zone, summary_minute, id);
CREATE INDEX taskflow_idx_deliveries_recipient_user ON taskflow_deliveries (recipient_user, id)
    WHERE recipient_user IS NOT NULL;
CREATE INDEX taskflow_idx_deliveries_recipient_address ON taskflow_deliveries (lower(recipient_address), id)
    WHERE recipient_address IS NOT NULL;
CREATE INDEX taskflow_idx_deliveries_given_up ON taskflow_deliveries (state, id)
    WHERE state IN ('discarded', 'cancelled', 'expired');
CREATE INDEX taskflow_idx_deliveries_kind ON taskflow_deliveries (kind, id)
    WHERE kind NOT IN ('task_due', 'task_reminder', 'daily_summary', 'meeting_reminder');
CREATE UNIQUE INDEX taskflow_idx_job_runs_slot ON taskflow_job_runs (job, slot) WHERE dry_run = 0;
CREATE INDEX taskflow_idx_job_runs_open ON taskflow_job_runs (job, id) WHERE finished_at IS NULL;
CREATE INDEX taskflow_idx_job_runs_job ON taskflow_job_runs (job, id);
CREATE INDEX taskflow_idx_tasks_user_completed_at ON taskflow_tasks (user_id, completed_at)
    WHERE completed_at IS NOT NULL;
CREATE INDEX taskflow_idx_tasks_completed_at ON taskflow_tasks (completed_at, id)
    WHERE completed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX taskflow_idx_tasks_deleted_at ON taskflow_tasks (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX taskflow_idx_meetings_cancelled_at ON taskflow_meetings (cancelled_at) WHERE cancelled_at IS NOT NULL;
CREATE INDEX taskflow_idx_deliveries_settled_at ON taskflow_deliveries (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX taskflow_idx_deliveries_failed ON taskflow_deliveries (due_at)
    WHERE state = 'scheduled' AND last_error IS NOT NULL;
CREATE INDEX taskflow_idx_sessions_over_at ON taskflow_sessions (coalesce(min(expires_at, ended_at), expires_at));
CREATE INDEX taskflow_idx_tokens_over_at ON taskflow_tokens (coalesce(min(expires_at, used_at), expires_at));
CREATE INDEX taskflow_idx_answers_created_at ON taskflow_answers (created_at);
CREATE INDEX taskflow_idx_job_runs_finished_at ON taskflow_job_runs (finished_at) WHERE finished_at IS NOT NULL;
COMMIT;
