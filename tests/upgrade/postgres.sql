--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: taskflow; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA taskflow;


--
-- Name: touch_updated_at(); Type: FUNCTION; Schema: taskflow; Owner: -
--

CREATE FUNCTION taskflow.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
BEGIN
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: answers; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.answers (
    user_id uuid NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT answers_instants_check CHECK (((created_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT answers_key_check CHECK (((char_length(key) >= 1) AND (char_length(key) <= 255)))
);


--
-- Name: credentials; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.credentials (
    user_id uuid NOT NULL,
    password text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT credentials_instants_check CHECK (((changed_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (changed_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: deliveries; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.deliveries (
    id uuid NOT NULL,
    dedupe_key text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    notice json NOT NULL,
    priority smallint NOT NULL,
    recipient_user uuid,
    recipient_address text,
    state text NOT NULL COLLATE pg_catalog."C",
    planned_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    next_at timestamp with time zone NOT NULL,
    attempts integer NOT NULL,
    first_claimed_at timestamp with time zone,
    settled_at timestamp with time zone,
    lease uuid,
    lease_until timestamp with time zone,
    cancel_requested boolean NOT NULL,
    last_error text,
    reply text,
    reason text NOT NULL,
    CONSTRAINT deliveries_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT deliveries_cancel_check CHECK (((state = 'claimed'::text) OR (NOT cancel_requested))),
    CONSTRAINT deliveries_instants_check CHECK (((LEAST(planned_at, due_at, next_at, first_claimed_at, settled_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(planned_at, due_at, next_at, first_claimed_at, settled_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT deliveries_lease_check CHECK (((state = 'claimed'::text) = (lease IS NOT NULL))),
    CONSTRAINT deliveries_lease_until_check CHECK (((state = 'claimed'::text) = (lease_until IS NOT NULL))),
    CONSTRAINT deliveries_priority_check CHECK (((priority >= 0) AND (priority <= 3))),
    CONSTRAINT deliveries_recipient_check CHECK (((recipient_user IS NULL) <> (recipient_address IS NULL))),
    CONSTRAINT deliveries_settled_check CHECK (((state = ANY (ARRAY['scheduled'::text, 'claimed'::text])) = (settled_at IS NULL))),
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['scheduled'::text, 'claimed'::text, 'delivered'::text, 'discarded'::text, 'cancelled'::text, 'expired'::text])))
);


--
-- Name: delivery_attempts; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.delivery_attempts (
    delivery_id uuid NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    error text NOT NULL,
    CONSTRAINT delivery_attempts_attempt_check CHECK ((attempt >= 1)),
    CONSTRAINT delivery_attempts_instants_check CHECK (((at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: events; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.events (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor uuid,
    entity_kind text NOT NULL COLLATE pg_catalog."C",
    entity_id uuid NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    data json NOT NULL,
    in_history boolean DEFAULT true NOT NULL,
    CONSTRAINT events_instants_check CHECK (((at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: feed; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.feed (
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    CONSTRAINT feed_seq_check CHECK ((seq >= 1))
);


--
-- Name: feed_heads; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.feed_heads (
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    changed_at timestamp with time zone,
    CONSTRAINT feed_heads_changed_at_check CHECK (((changed_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (changed_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT feed_heads_seq_check CHECK ((seq >= 1))
)
WITH (fillfactor='50');


--
-- Name: job_runs; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.job_runs (
    id uuid NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    slot timestamp with time zone NOT NULL,
    since timestamp with time zone NOT NULL,
    trigger text NOT NULL COLLATE pg_catalog."C",
    dry_run boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    node text,
    tries integer NOT NULL,
    cursor text,
    counts json NOT NULL,
    error text,
    lease uuid,
    lease_until timestamp with time zone,
    CONSTRAINT job_runs_finished_check CHECK (((finished_at IS NULL) OR (lease IS NULL))),
    CONSTRAINT job_runs_instants_check CHECK (((LEAST(slot, since, created_at, started_at, finished_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(slot, since, created_at, started_at, finished_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT job_runs_lease_check CHECK (((lease IS NULL) = (lease_until IS NULL))),
    CONSTRAINT job_runs_tries_check CHECK ((tries >= 0)),
    CONSTRAINT job_runs_trigger_check CHECK ((trigger = ANY (ARRAY['schedule'::text, 'slot'::text, 'now'::text])))
)
WITH (fillfactor='50');


--
-- Name: jobs; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.jobs (
    name text NOT NULL COLLATE pg_catalog."C",
    slot timestamp with time zone NOT NULL,
    paused_at timestamp with time zone,
    memo text,
    CONSTRAINT jobs_instants_check CHECK (((LEAST(slot, paused_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(slot, paused_at) < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: ledger_totals; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.ledger_totals (
    day date NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL,
    CONSTRAINT ledger_totals_count_check CHECK ((count >= 1)),
    CONSTRAINT ledger_totals_state_check CHECK ((state = ANY (ARRAY['delivered'::text, 'discarded'::text, 'cancelled'::text, 'expired'::text])))
);


--
-- Name: mailbox; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.mailbox (
    id uuid NOT NULL,
    kept_at timestamp with time zone NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    html text,
    source text NOT NULL,
    CONSTRAINT mailbox_instants_check CHECK (((kept_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (kept_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);


--
-- Name: meeting_participants; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.meeting_participants (
    id uuid NOT NULL,
    meeting_id uuid NOT NULL,
    user_id uuid,
    email text NOT NULL,
    email_key text NOT NULL COLLATE pg_catalog."C",
    name text,
    role text NOT NULL COLLATE pg_catalog."C",
    response_status text NOT NULL COLLATE pg_catalog."C",
    comment text,
    responded_at timestamp with time zone,
    reminders integer[],
    told_version bigint,
    told_on boolean,
    removed_at timestamp with time zone,
    version bigint NOT NULL,
    answered_version bigint,
    reset_response text COLLATE pg_catalog."C",
    proposed_start timestamp with time zone,
    locale text,
    time_zone text,
    delivery_problem text,
    merged_into uuid,
    CONSTRAINT meeting_participants_answered_version_check CHECK ((answered_version >= 1)),
    CONSTRAINT meeting_participants_comment_check CHECK (((char_length(comment) >= 1) AND (char_length(comment) <= 1000))),
    CONSTRAINT meeting_participants_delivery_problem_check CHECK (((char_length(delivery_problem) >= 1) AND (char_length(delivery_problem) <= 500))),
    CONSTRAINT meeting_participants_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT meeting_participants_instants_check CHECK (((LEAST(responded_at, removed_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(responded_at, removed_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT meeting_participants_locale_check CHECK (((char_length(locale) >= 2) AND (char_length(locale) <= 35))),
    CONSTRAINT meeting_participants_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT meeting_participants_proposed_start_check CHECK (((proposed_start >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (proposed_start < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT meeting_participants_reminders_check CHECK (((cardinality(reminders) <= 5) AND (array_position(reminders, NULL::integer) IS NULL) AND (0 <= ALL (reminders)) AND (40320 >= ALL (reminders)))),
    CONSTRAINT meeting_participants_reset_response_check CHECK ((reset_response = ANY (ARRAY['accepted'::text, 'declined'::text, 'tentative'::text]))),
    CONSTRAINT meeting_participants_response_status_check CHECK ((response_status = ANY (ARRAY['pending'::text, 'accepted'::text, 'declined'::text, 'tentative'::text]))),
    CONSTRAINT meeting_participants_role_check CHECK ((role = ANY (ARRAY['organizer'::text, 'attendee'::text, 'optional'::text]))),
    CONSTRAINT meeting_participants_told_check CHECK (((told_version IS NULL) = (told_on IS NULL))),
    CONSTRAINT meeting_participants_told_version_check CHECK ((told_version >= 0)),
    CONSTRAINT meeting_participants_version_check CHECK ((version >= 1))
)
WITH (fillfactor='70');


--
-- Name: meeting_reminders; Type: VIEW; Schema: taskflow; Owner: -
--

CREATE VIEW taskflow.meeting_reminders AS
 SELECT d.id,
    ((d.notice ->> 'meeting'::text))::uuid AS meeting_id,
    ((d.notice ->> 'participant'::text))::uuid AS participant_id,
    p.email,
    ((d.notice ->> 'minutes'::text))::integer AS minutes,
    d.planned_at,
    d.due_at,
    d.next_at,
        CASE d.state
            WHEN 'delivered'::text THEN d.settled_at
            ELSE NULL::timestamp with time zone
        END AS sent_at,
    d.state,
    d.attempts,
    d.last_error,
    d.reply,
    d.reason
   FROM (taskflow.deliveries d
     LEFT JOIN taskflow.meeting_participants p ON ((p.id = ((d.notice ->> 'participant'::text))::uuid)))
  WHERE (d.kind = 'meeting_reminder'::text);


--
-- Name: meeting_revisions; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.meeting_revisions (
    meeting_id uuid NOT NULL,
    version bigint NOT NULL,
    facts json NOT NULL,
    sequence bigint,
    CONSTRAINT meeting_revisions_sequence_check CHECK (((sequence >= 0) AND (sequence <= '4294967295'::bigint))),
    CONSTRAINT meeting_revisions_version_check CHECK ((version >= 1))
);


--
-- Name: meetings; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.meetings (
    id uuid NOT NULL,
    created_by uuid,
    organizer_name text,
    organizer_email text NOT NULL,
    title text NOT NULL,
    title_key text NOT NULL COLLATE pg_catalog."C",
    description text,
    search_text text NOT NULL COLLATE pg_catalog."C",
    meeting_date timestamp with time zone NOT NULL,
    local_start timestamp without time zone NOT NULL,
    time_zone text NOT NULL,
    tzdb text NOT NULL COLLATE pg_catalog."C",
    duration_minutes integer NOT NULL,
    location text,
    meeting_url text,
    meeting_type text NOT NULL COLLATE pg_catalog."C",
    reminder_minutes integer NOT NULL,
    ended_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    sequence bigint NOT NULL,
    burst_since timestamp with time zone,
    burst_due_at timestamp with time zone,
    burst_version bigint,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT meetings_burst_check CHECK ((num_nonnulls(burst_since, burst_due_at, burst_version) = ANY (ARRAY[0, 3]))),
    CONSTRAINT meetings_burst_version_check CHECK ((burst_version >= 1)),
    CONSTRAINT meetings_description_check CHECK ((char_length(description) <= 10000)),
    CONSTRAINT meetings_duration_minutes_check CHECK (((duration_minutes >= 1) AND (duration_minutes <= 1440))),
    CONSTRAINT meetings_instants_check CHECK (((LEAST(meeting_date, ended_at, cancelled_at, burst_since, burst_due_at, created_at, updated_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(meeting_date, ended_at, cancelled_at, burst_since, burst_due_at, created_at, updated_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT meetings_local_start_check CHECK (((local_start >= '0001-01-01 00:00:00'::timestamp without time zone) AND (local_start < '10000-01-01 00:00:00'::timestamp without time zone))),
    CONSTRAINT meetings_location_check CHECK (((char_length(location) >= 1) AND (char_length(location) <= 255))),
    CONSTRAINT meetings_meeting_type_check CHECK ((meeting_type = ANY (ARRAY['in_person'::text, 'virtual'::text, 'hybrid'::text]))),
    CONSTRAINT meetings_meeting_url_check CHECK (((char_length(meeting_url) <= 500) AND (meeting_url ~ '^https?://'::text))),
    CONSTRAINT meetings_organizer_email_check CHECK (((char_length(organizer_email) >= 3) AND (char_length(organizer_email) <= 254))),
    CONSTRAINT meetings_reminder_minutes_check CHECK (((reminder_minutes >= 0) AND (reminder_minutes <= 40320))),
    CONSTRAINT meetings_sequence_check CHECK (((sequence >= 0) AND (sequence <= '4294967295'::bigint))),
    CONSTRAINT meetings_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 255))),
    CONSTRAINT meetings_version_check CHECK ((version >= 1))
);


--
-- Name: migrations; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: nodes; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.nodes (
    id text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    sends_mail boolean NOT NULL,
    mail_rate double precision,
    seen_at timestamp with time zone NOT NULL,
    live_until timestamp with time zone NOT NULL,
    CONSTRAINT nodes_id_check CHECK ((id ~ '^[A-Za-z0-9._-]{1,64}$'::text)),
    CONSTRAINT nodes_instants_check CHECK (((started_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (started_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT nodes_mail_rate_check CHECK (((mail_rate >= (0)::double precision) AND (mail_rate < 'Infinity'::double precision)))
);


--
-- Name: users; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.users (
    id uuid NOT NULL,
    username text NOT NULL,
    username_key text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    email_key text NOT NULL COLLATE pg_catalog."C",
    email_verified boolean NOT NULL,
    time_zone text NOT NULL,
    locale text NOT NULL,
    is_active boolean NOT NULL,
    is_admin boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    mail_off text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    quiet_from smallint,
    quiet_until smallint,
    summary_minute smallint DEFAULT 540 NOT NULL,
    summary_days smallint DEFAULT 127 NOT NULL,
    CONSTRAINT users_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT users_instants_check CHECK (((LEAST(created_at, updated_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(created_at, updated_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT users_mail_off_check CHECK ((array_position(mail_off, NULL::text) IS NULL)),
    CONSTRAINT users_quiet_from_check CHECK (((quiet_from >= 0) AND (quiet_from <= 1439))),
    CONSTRAINT users_quiet_hours_check CHECK (((num_nonnulls(quiet_from, quiet_until) = ANY (ARRAY[0, 2])) AND ((quiet_from = quiet_until) IS NOT TRUE))),
    CONSTRAINT users_quiet_until_check CHECK (((quiet_until >= 0) AND (quiet_until <= 1439))),
    CONSTRAINT users_summary_days_check CHECK (((summary_days >= 0) AND (summary_days <= 127))),
    CONSTRAINT users_summary_minute_check CHECK (((summary_minute >= 0) AND (summary_minute <= 1439))),
    CONSTRAINT users_username_check CHECK (((char_length(username) >= 3) AND (char_length(username) <= 50))),
    CONSTRAINT users_version_check CHECK ((version >= 1))
);


--
-- Name: outbox_status; Type: VIEW; Schema: taskflow; Owner: -
--

CREATE VIEW taskflow.outbox_status AS
 SELECT d.id,
    d.kind,
    COALESCE(d.recipient_address, u.email) AS recipient,
    d.state,
    d.attempts,
    d.due_at,
    d.next_at,
    d.first_claimed_at,
    d.settled_at,
    d.dedupe_key,
    d.last_error
   FROM (taskflow.deliveries d
     LEFT JOIN taskflow.users u ON ((u.id = d.recipient_user)));


--
-- Name: schema_info; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.schema_info (
    name text NOT NULL,
    value bigint NOT NULL
);


--
-- Name: search_refolds; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.search_refolds (
    name text NOT NULL COLLATE pg_catalog."C",
    after uuid,
    CONSTRAINT search_refolds_name_check CHECK ((name = ANY (ARRAY['tasks'::text, 'meetings'::text])))
);


--
-- Name: sessions; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    token text NOT NULL,
    previous text,
    device text,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    version bigint NOT NULL,
    repeated boolean DEFAULT false NOT NULL,
    CONSTRAINT sessions_instants_check CHECK (((LEAST(created_at, used_at, expires_at, ended_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(created_at, used_at, expires_at, ended_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT sessions_version_check CHECK ((version >= 1))
);


--
-- Name: suppressions; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.suppressions (
    email_key text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    cause text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL,
    at timestamp with time zone NOT NULL,
    overrides bigint DEFAULT 0 NOT NULL,
    CONSTRAINT suppressions_cause_check CHECK ((cause = ANY (ARRAY['refused'::text, 'bounce'::text, 'complaint'::text, 'admin'::text]))),
    CONSTRAINT suppressions_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT suppressions_instants_check CHECK (((at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT suppressions_overrides_check CHECK ((overrides >= 0))
);


--
-- Name: tasks; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.tasks (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    title text NOT NULL,
    title_key text NOT NULL COLLATE pg_catalog."C",
    description text,
    search_text text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    priority smallint NOT NULL,
    due_at timestamp with time zone,
    reminder_minutes integer,
    completed_at timestamp with time zone,
    deleted_at timestamp with time zone,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    due_on date,
    CONSTRAINT tasks_completed_check CHECK (((status = 'completed'::text) = (completed_at IS NOT NULL))),
    CONSTRAINT tasks_description_check CHECK ((char_length(description) <= 10000)),
    CONSTRAINT tasks_instants_check CHECK (((LEAST(due_at, completed_at, deleted_at, created_at, updated_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(due_at, completed_at, deleted_at, created_at, updated_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT tasks_priority_check CHECK (((priority >= 1) AND (priority <= 3))),
    CONSTRAINT tasks_reminder_check CHECK (((reminder_minutes IS NULL) OR (due_at IS NOT NULL))),
    CONSTRAINT tasks_reminder_minutes_check CHECK (((reminder_minutes >= 0) AND (reminder_minutes <= 40320))),
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'completed'::text]))),
    CONSTRAINT tasks_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 200))),
    CONSTRAINT tasks_version_check CHECK ((version >= 1))
);


--
-- Name: tokens; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.tokens (
    id uuid NOT NULL,
    purpose text NOT NULL COLLATE pg_catalog."C",
    user_id uuid NOT NULL,
    email text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT tokens_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT tokens_instants_check CHECK (((LEAST(created_at, expires_at, used_at) >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(created_at, expires_at, used_at) < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT tokens_purpose_check CHECK ((purpose = ANY (ARRAY['verify_email'::text, 'reset_password'::text])))
);


--
-- Name: unsubscribes; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.unsubscribes (
    email_key text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT unsubscribes_at_check CHECK (((at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT unsubscribes_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254)))
);


--
-- Name: user_statistics; Type: TABLE; Schema: taskflow; Owner: -
--

CREATE TABLE taskflow.user_statistics (
    user_id uuid NOT NULL,
    counted_at timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    pending bigint NOT NULL,
    in_progress bigint NOT NULL,
    completed bigint NOT NULL,
    overdue bigint NOT NULL,
    lead_seconds bigint NOT NULL,
    streak_days bigint NOT NULL,
    CONSTRAINT user_statistics_completed_check CHECK ((completed >= 0)),
    CONSTRAINT user_statistics_in_progress_check CHECK ((in_progress >= 0)),
    CONSTRAINT user_statistics_instants_check CHECK (((counted_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (counted_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT user_statistics_lead_seconds_check CHECK ((lead_seconds >= 0)),
    CONSTRAINT user_statistics_overdue_check CHECK ((overdue >= 0)),
    CONSTRAINT user_statistics_pending_check CHECK ((pending >= 0)),
    CONSTRAINT user_statistics_streak_days_check CHECK (((streak_days >= 0) AND (streak_days <= '4294967295'::bigint))),
    CONSTRAINT user_statistics_total_check CHECK ((total >= 0))
);


--
-- Data for Name: answers; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: credentials; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.credentials VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', '$argon2id$v=19$m=19456,t=2,p=1$hDiJjOOQC7vkFYZKQbBudw$R4f3X93KicRhb9/vSP4Cg05O3NYCKhEK7xLqW0IIPug', '2026-11-30 22:17:09.141237+00');
INSERT INTO taskflow.credentials VALUES ('01a22e89-ae57-7000-8af8-f86d08fa34a8', '$argon2id$v=19$m=19456,t=2,p=1$PF6L4xgsFXSGdrtnYYVWRQ$/N24BgOO6aQrq0UsLfOCD1YKi1yKPmaC8omYIPcFCWM', '2026-11-30 22:18:24.727449+00');
INSERT INTO taskflow.credentials VALUES ('01a22e89-afb1-7000-a710-025f58f84dab', '$argon2id$v=19$m=19456,t=2,p=1$Wcj5sHDMWNuvOVmpqkFpog$xO0CbN9N3Hy8C14tY5rOqOnTc+/Q5HAtrebp6ueNKvE', '2026-11-30 22:18:25.07349+00');
INSERT INTO taskflow.credentials VALUES ('01a22e8a-25ce-7000-8c84-7777b1f2f828', '$argon2id$v=19$m=19456,t=2,p=1$iqr7mwYBFQGvdl1sq4vB/A$ew1dV3+93IBwe8iGEbNFOxUJVkvnmoZ8QnltdDeoF44', '2026-11-30 22:18:55.310862+00');


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.deliveries VALUES ('01a22e89-ad74-7002-99aa-fe23cc3e63ac', 'task-due/01a22e89-ad74-7000-9d73-0c48db783274/1935734400000000/15', 'task_due', '{"kind":"task_due","task":"01a22e89-ad74-7000-9d73-0c48db783274","due_at":"2031-05-05T08:00:00.000000Z"}', 2, '01a22e88-8715-7000-b5f5-5b0fa16071a8', NULL, 'scheduled', '2026-11-30 22:18:24.50032+00', '2031-05-05 07:45:00+00', '2031-05-05 07:45:00+00', 0, NULL, NULL, NULL, NULL, false, NULL, NULL, 'the task asks for a reminder');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-ad8b-7002-b007-024c482aaaa9', 'task-due/01a22e89-ad8b-7000-a0b4-7f7340c7ed28/1935734400000000/30', 'task_due', '{"kind":"task_due","task":"01a22e89-ad8b-7000-a0b4-7f7340c7ed28","due_at":"2031-05-05T08:00:00.000000Z"}', 2, '01a22e88-8715-7000-b5f5-5b0fa16071a8', NULL, 'cancelled', '2026-11-30 22:18:24.523699+00', '2031-05-05 07:30:00+00', '2031-05-05 07:30:00+00', 0, NULL, '2026-11-30 22:18:24.555937+00', NULL, NULL, false, NULL, NULL, 'the task was changed');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-adb8-7005-8a8e-4fe7b4dd4e51', 'meeting-reminder/01a22e89-adb8-7000-9871-87271b84de5d/1935817200000000/01a22e89-adb8-7001-a463-6f71ee86985e/15', 'meeting_reminder', '{"kind":"meeting_reminder","meeting":"01a22e89-adb8-7000-9871-87271b84de5d","participant":"01a22e89-adb8-7001-a463-6f71ee86985e","starts_at":"2031-05-06T07:00:00.000000Z","minutes":15,"message":null}', 1, '01a22e88-8715-7000-b5f5-5b0fa16071a8', NULL, 'scheduled', '2026-11-30 22:18:24.568869+00', '2031-05-06 06:45:00+00', '2031-05-06 06:45:00+00', 0, NULL, NULL, NULL, NULL, false, NULL, NULL, '15 minutes before the meeting');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-adb8-7006-beaf-3f939944757c', 'meeting-reminder/01a22e89-adb8-7000-9871-87271b84de5d/1935817200000000/01a22e89-adb8-7002-85a7-08360d976465/15', 'meeting_reminder', '{"kind":"meeting_reminder","meeting":"01a22e89-adb8-7000-9871-87271b84de5d","participant":"01a22e89-adb8-7002-85a7-08360d976465","starts_at":"2031-05-06T07:00:00.000000Z","minutes":15,"message":null}', 1, NULL, 'ok2@example.com', 'scheduled', '2026-11-30 22:18:24.568869+00', '2031-05-06 06:45:00+00', '2031-05-06 06:45:00+00', 0, NULL, NULL, NULL, NULL, false, NULL, NULL, '15 minutes before the meeting');
INSERT INTO taskflow.deliveries VALUES ('01a22e88-8836-7003-953b-113b6e3e7040', 'meeting-reminder/01a22e88-8836-7000-b8f7-9ae2c1663d79/1796077099000000/01a22e88-8836-7001-8dce-4b9357a61278/1', 'meeting_reminder', '{"kind":"meeting_reminder","meeting":"01a22e88-8836-7000-b8f7-9ae2c1663d79","participant":"01a22e88-8836-7001-8dce-4b9357a61278","starts_at":"2026-11-30T22:18:19.000000Z","minutes":1,"message":null}', 1, '01a22e88-8715-7000-b5f5-5b0fa16071a8', NULL, 'expired', '2026-11-30 22:17:09.430996+00', '2026-11-30 22:17:19+00', '2026-11-30 22:18:31.74727+00', 0, '2026-11-30 22:17:19.000558+00', '2026-11-30 22:18:47.213254+00', NULL, NULL, false, '127.0.0.1:8472: cannot connect: Connection refused (os error 111)', NULL, 'it was too late to be of use');
INSERT INTO taskflow.deliveries VALUES ('01a22e88-8715-7002-acfa-7babd15d6935', 'welcome/01a22e88-8715-7000-b5f5-5b0fa16071a8', 'welcome', '{"kind":"welcome","token":"01a22e88-8715-7001-9939-acd76f814ef2"}', 0, '01a22e88-8715-7000-b5f5-5b0fa16071a8', NULL, 'delivered', '2026-11-30 22:17:09.141237+00', '2026-11-30 22:17:09.141237+00', '2026-11-30 22:18:34.200436+00', 0, '2026-11-30 22:17:09.187701+00', '2026-11-30 22:18:47.221163+00', NULL, NULL, false, '127.0.0.1:8472: cannot connect: Connection refused (os error 111)', '250 taken', 'the account was made');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-ae57-7002-8129-f4daebfe0135', 'welcome/01a22e89-ae57-7000-8af8-f86d08fa34a8', 'welcome', '{"kind":"welcome","token":"01a22e89-ae57-7001-8c00-ee5f5e548f01"}', 0, '01a22e89-ae57-7000-8af8-f86d08fa34a8', NULL, 'discarded', '2026-11-30 22:18:24.727449+00', '2026-11-30 22:18:24.727449+00', '2026-11-30 22:18:24.727449+00', 1, '2026-11-30 22:18:47.213254+00', '2026-11-30 22:18:47.220343+00', NULL, NULL, false, '550 5.1.1 no such mailbox', NULL, 'the account was made');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-afb1-7002-8c94-fc2329224705', 'welcome/01a22e89-afb1-7000-a710-025f58f84dab', 'welcome', '{"kind":"welcome","token":"01a22e89-afb1-7001-9244-464ecbb16e1a"}', 0, '01a22e89-afb1-7000-a710-025f58f84dab', NULL, 'scheduled', '2026-11-30 22:18:25.07349+00', '2026-11-30 22:18:25.07349+00', '2026-11-30 23:13:56.274211+00', 1, '2026-11-30 22:18:47.213254+00', NULL, NULL, NULL, false, '451 4.2.0 try again later', NULL, 'the account was made');
INSERT INTO taskflow.deliveries VALUES ('01a22e89-adb8-7004-b933-9dc91bba2c1f', 'meeting-invite/01a22e89-adb8-7000-9871-87271b84de5d/01a22e89-adb8-7002-85a7-08360d976465/1', 'meeting_invite', '{"kind":"meeting_invite","meeting":"01a22e89-adb8-7000-9871-87271b84de5d","participant":"01a22e89-adb8-7002-85a7-08360d976465"}', 1, NULL, 'ok2@example.com', 'delivered', '2026-11-30 22:18:24.568869+00', '2026-11-30 22:18:24.568869+00', '2026-11-30 22:18:24.568869+00', 0, '2026-11-30 22:18:47.213254+00', '2026-11-30 22:18:47.221974+00', NULL, NULL, false, NULL, '250 taken', 'the organizer invites');
INSERT INTO taskflow.deliveries VALUES ('01a22e8a-25ce-7002-8000-6b641a9d6321', 'welcome/01a22e8a-25ce-7000-8c84-7777b1f2f828', 'welcome', '{"kind":"welcome","token":"01a22e8a-25ce-7001-90e9-77974dfce087"}', 0, '01a22e8a-25ce-7000-8c84-7777b1f2f828', NULL, 'claimed', '2026-11-30 22:18:55.310862+00', '2026-11-30 22:18:55.310862+00', '2026-11-30 22:18:55.310862+00', 0, '2026-11-30 22:18:55.315739+00', NULL, '01a22e8a-25d3-7000-a1e9-4b322e1d8222', '2026-11-30 22:20:55.317069+00', false, NULL, NULL, 'the account was made');


--
-- Data for Name: delivery_attempts; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.delivery_attempts VALUES ('01a22e89-ae57-7002-8129-f4daebfe0135', 1, '2026-11-30 22:18:47.220343+00', '550 5.1.1 no such mailbox');
INSERT INTO taskflow.delivery_attempts VALUES ('01a22e89-afb1-7002-8c94-fc2329224705', 1, '2026-11-30 22:18:47.220534+00', '451 4.2.0 try again later');


--
-- Data for Name: events; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.events VALUES ('01a22e88-8836-7002-af83-15a1d5d01f75', '2026-11-30 22:17:09.430996+00', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'meeting', '01a22e88-8836-7000-b8f7-9ae2c1663d79', 'meeting_created', '{"changes":{"duration_minutes":{"is":60,"was":null},"is_active":{"is":true,"was":null},"meeting_date":{"is":"2026-11-30T22:18:19.000000Z","was":null},"meeting_type":{"is":"in_person","was":null},"participants":{"is":[{"id":"01a22e88-8836-7001-8dce-4b9357a61278","response_status":"accepted","role":"organizer"}],"was":null},"reminder_minutes":{"is":1,"was":null},"status":{"is":"scheduled","was":null},"time_zone":{"is":"UTC","was":null},"title":{"is":"Expires while the relay is away","was":null}},"id":"01a22e88-8836-7000-b8f7-9ae2c1663d79","version":1}', true);
INSERT INTO taskflow.events VALUES ('01a22e89-ad74-7001-8101-27d79f8befec', '2026-11-30 22:18:24.50032+00', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'task', '01a22e89-ad74-7000-9d73-0c48db783274', 'task_created', '{"changes":{"due_at":{"is":"2031-05-05T08:00:00.000000Z","was":null},"priority":{"is":"medium","was":null},"reminder_minutes":{"is":15,"was":null},"status":{"is":"pending","was":null},"title":{"is":"scheduled","was":null}},"id":"01a22e89-ad74-7000-9d73-0c48db783274","version":1}', true);
INSERT INTO taskflow.events VALUES ('01a22e89-ad8b-7001-a976-4eca756ca891', '2026-11-30 22:18:24.523699+00', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'task', '01a22e89-ad8b-7000-a0b4-7f7340c7ed28', 'task_created', '{"changes":{"due_at":{"is":"2031-05-05T08:00:00.000000Z","was":null},"priority":{"is":"medium","was":null},"reminder_minutes":{"is":30,"was":null},"status":{"is":"pending","was":null},"title":{"is":"cancelled","was":null}},"id":"01a22e89-ad8b-7000-a0b4-7f7340c7ed28","version":1}', true);
INSERT INTO taskflow.events VALUES ('01a22e89-adab-7000-a6fe-a22ae53f3ed0', '2026-11-30 22:18:24.555937+00', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'task', '01a22e89-ad8b-7000-a0b4-7f7340c7ed28', 'task_deleted', '{"changes":{},"id":"01a22e89-ad8b-7000-a0b4-7f7340c7ed28","version":2}', true);
INSERT INTO taskflow.events VALUES ('01a22e89-adb8-7003-9299-0d44f1da571c', '2026-11-30 22:18:24.568869+00', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'meeting', '01a22e89-adb8-7000-9871-87271b84de5d', 'meeting_created', '{"changes":{"duration_minutes":{"is":60,"was":null},"is_active":{"is":true,"was":null},"meeting_date":{"is":"2031-05-06T07:00:00.000000Z","was":null},"meeting_type":{"is":"in_person","was":null},"participants":{"is":[{"id":"01a22e89-adb8-7001-a463-6f71ee86985e","response_status":"accepted","role":"organizer"},{"id":"01a22e89-adb8-7002-85a7-08360d976465","response_status":"pending","role":"attendee"}],"was":null},"reminder_minutes":{"is":15,"was":null},"status":{"is":"scheduled","was":null},"time_zone":{"is":"Europe/Berlin","was":null},"title":{"is":"Plans","was":null}},"id":"01a22e89-adb8-7000-9871-87271b84de5d","version":1}', true);


--
-- Data for Name: feed; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.feed VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 1, '01a22e88-8836-7002-af83-15a1d5d01f75');
INSERT INTO taskflow.feed VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 2, '01a22e89-ad74-7001-8101-27d79f8befec');
INSERT INTO taskflow.feed VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 3, '01a22e89-ad8b-7001-a976-4eca756ca891');
INSERT INTO taskflow.feed VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 4, '01a22e89-adab-7000-a6fe-a22ae53f3ed0');
INSERT INTO taskflow.feed VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 5, '01a22e89-adb8-7003-9299-0d44f1da571c');


--
-- Data for Name: feed_heads; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.feed_heads VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 5, '2026-11-30 22:18:24.568869+00');


--
-- Data for Name: job_runs; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: jobs; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.jobs VALUES ('statistics', '2026-11-30 22:00:00+00', NULL, NULL);
INSERT INTO taskflow.jobs VALUES ('data_cleanup', '2026-11-30 02:00:00+00', NULL, NULL);
INSERT INTO taskflow.jobs VALUES ('server_monitoring', '2026-11-30 22:15:00+00', NULL, NULL);
INSERT INTO taskflow.jobs VALUES ('meeting_reminders', '2026-11-30 22:15:00+00', NULL, NULL);
INSERT INTO taskflow.jobs VALUES ('daily_summaries', '2026-11-30 22:18:00+00', NULL, NULL);
INSERT INTO taskflow.jobs VALUES ('task_reminders', '2026-11-30 22:18:00+00', NULL, NULL);


--
-- Data for Name: ledger_totals; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: mailbox; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: meeting_participants; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.meeting_participants VALUES ('01a22e88-8836-7001-8dce-4b9357a61278', '01a22e88-8836-7000-b8f7-9ae2c1663d79', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1@example.com', 'ok1@example.com', 'ok1', 'organizer', 'accepted', NULL, '2026-11-30 22:17:09.430996+00', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO taskflow.meeting_participants VALUES ('01a22e89-adb8-7001-a463-6f71ee86985e', '01a22e89-adb8-7000-9871-87271b84de5d', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1@example.com', 'ok1@example.com', 'ok1', 'organizer', 'accepted', NULL, '2026-11-30 22:18:24.568869+00', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO taskflow.meeting_participants VALUES ('01a22e89-adb8-7002-85a7-08360d976465', '01a22e89-adb8-7000-9871-87271b84de5d', NULL, 'ok2@example.com', 'ok2@example.com', 'Grace', 'attendee', 'pending', NULL, NULL, NULL, 1, true, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: meeting_revisions; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.meeting_revisions VALUES ('01a22e88-8836-7000-b8f7-9ae2c1663d79', 1, '{"title":"Expires while the relay is away","starts_at":"2026-11-30T22:18:19.000000Z","duration_minutes":60,"meeting_type":"in_person"}', 0);
INSERT INTO taskflow.meeting_revisions VALUES ('01a22e89-adb8-7000-9871-87271b84de5d', 1, '{"title":"Plans","starts_at":"2031-05-06T07:00:00.000000Z","duration_minutes":60,"meeting_type":"in_person"}', 0);


--
-- Data for Name: meetings; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.meetings VALUES ('01a22e88-8836-7000-b8f7-9ae2c1663d79', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1', 'ok1@example.com', 'Expires while the relay is away', 'expires while the relay is away', NULL, 'expires while the relay is away

', '2026-11-30 22:18:19+00', '2026-11-30 22:18:19', 'UTC', '2026f', 60, NULL, NULL, 'in_person', 1, NULL, NULL, 0, NULL, NULL, NULL, 1, '2026-11-30 22:17:09.430996+00', '2026-11-30 22:17:09.430996+00');
INSERT INTO taskflow.meetings VALUES ('01a22e89-adb8-7000-9871-87271b84de5d', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1', 'ok1@example.com', 'Plans', 'plans', NULL, 'plans

', '2031-05-06 07:00:00+00', '2031-05-06 09:00:00', 'Europe/Berlin', '2026f', 60, NULL, NULL, 'in_person', 15, NULL, NULL, 0, NULL, NULL, NULL, 1, '2026-11-30 22:18:24.568869+00', '2026-11-30 22:18:24.568869+00');


--
-- Data for Name: migrations; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.migrations VALUES (1, 'foundation', '2026-11-30 22:17:07.987428+00', true, '\x8d0ca709d42d0cc3264e4155f47c54ef29b4ea7132b3d7a8609ed45f91bd14670ec717c629cfb9cc9ea4e0d3c1ff3509', 164038366);
INSERT INTO taskflow.migrations VALUES (2, 'sessions', '2026-11-30 22:17:08.163495+00', true, '\xb551c437f194dba929b799446c87970e1f6fcecf6c476ad4aea98c85f25e660443fff29d9a272873731b1e887da5d799', 51996914);
INSERT INTO taskflow.migrations VALUES (3, 'meetings', '2026-11-30 22:17:08.223467+00', true, '\x559de0b3448d6145d901bc6fe9ac8fa00d12eef16a4935790ad0817095a4a55b1630d21c34dcbe8d6ff7e413f81ddc1f', 128014894);
INSERT INTO taskflow.migrations VALUES (4, 'mail', '2026-11-30 22:17:08.363436+00', true, '\x0d5ff52ca6540811e098574508bd70622e2598a6225e0bd30e710d5c7c9b905616e6e0648e90fbbffe3cb625ca44ea7e', 52132474);
INSERT INTO taskflow.migrations VALUES (5, 'mail indexes', '2026-11-30 22:17:08.419594+00', true, '\xd59f6c964cce9b727b8baea7a54bec5ebb441a8c01cb682540bf2b4d7d1d8e6dfe9e77fe8bd688ed96a83240bf868bc2', 15936173);
INSERT INTO taskflow.migrations VALUES (6, 'nodes', '2026-11-30 22:17:08.439518+00', true, '\xfa665a88ad09356c10591fac98aa31d60fa25290b324013363ae27263e06beb4a53268e86c7eefd652cf789b82973626', 23992969);
INSERT INTO taskflow.migrations VALUES (7, 'jobs', '2026-11-30 22:17:08.47682+00', true, '\x4944639a4bc63b410ce526944703768f1a47695714a820c20e0fcd344e3e482c417578b58db2bb46ac27b7ea444a378e', 130659506);
INSERT INTO taskflow.migrations VALUES (8, 'answers', '2026-11-30 22:17:08.611634+00', true, '\x5e0a9b7d3ae0d32bf7f5ec27100808dad8d0918ba1d24f7e1744da0679d177ffd07d202e2e60dc189c62ec411bb5ace9', 7888665);
INSERT INTO taskflow.migrations VALUES (9, 'min version', '2026-11-30 22:17:08.63146+00', true, '\xf9d314df331d2710796f783ea5a0533f8e4c92e206a86cc7744b5848e093ba0c5adc2b040895dec35568bd605ee4b373', 13325870);
INSERT INTO taskflow.migrations VALUES (10, 'suppression overrides', '2026-11-30 22:17:08.647493+00', true, '\x6d942539775c32192eac84526d8c3ca8e9988d07d736352cfae7b4d41f49dc490510d93f63630b0735a8fe7a7f81cc3a', 8001083);
INSERT INTO taskflow.migrations VALUES (11, 'unsubscribes', '2026-11-30 22:17:08.659487+00', true, '\x7c2f3029029f0f78c0107ec62bb5dd87d524de71768f07bfb89dba139ec79efacbeb929408a425569727a348f043cd6d', 10937867);
INSERT INTO taskflow.migrations VALUES (12, 'search and refresh', '2026-11-30 22:17:08.675488+00', true, '\xdbe90dc507eaa50755df65c11e1e8eff6ad99fe50c57e0ad2fbf875c38c2b02c19f675340a362724ed1fd1d357e5d83a', 8014146);
INSERT INTO taskflow.migrations VALUES (13, 'due days', '2026-11-30 22:17:08.686872+00', true, '\xe4d6c6f4768fbcd14d2c0a3509f2914d0f732f78901113eed4d9484ff5cd647ee97a51f6bc6d454a2b04e27b8bd28bf0', 2580154);


--
-- Data for Name: nodes; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.nodes VALUES ('13e0ce02', '0.1.0', '2026-11-30 22:17:08.896006+00', true, NULL, '2026-11-30 22:18:56.072184+00', '2026-11-30 22:19:01.072184+00');


--
-- Data for Name: schema_info; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.schema_info VALUES ('min_version', 1);


--
-- Data for Name: search_refolds; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.search_refolds VALUES ('tasks', NULL);
INSERT INTO taskflow.search_refolds VALUES ('meetings', NULL);


--
-- Data for Name: sessions; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.sessions VALUES ('01a22e88-8802-7000-af1d-24d0fabe76d5', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ee131e2e3937ea211a6e3004c34b9ce0b5becbca60b493f7f56970c6728c6057', NULL, 'Python-urllib/3.11', '2026-11-30 22:17:09.378174+00', '2026-11-30 22:17:09.378174+00', '2026-12-30 22:17:09.378174+00', NULL, 1, false);
INSERT INTO taskflow.sessions VALUES ('01a22e89-af10-7000-bcc4-0af427c03e5b', '01a22e89-ae57-7000-8af8-f86d08fa34a8', '2c40bd729dc214673947431c906280b88c998f97381e449fa036653fe8dd8f72', NULL, 'Python-urllib/3.11', '2026-11-30 22:18:24.912536+00', '2026-11-30 22:18:24.912536+00', '2026-12-30 22:18:24.912536+00', NULL, 1, false);
INSERT INTO taskflow.sessions VALUES ('01a22e89-b04c-7000-b7f8-88e9a44409a9', '01a22e89-afb1-7000-a710-025f58f84dab', '322a8387c63084ae38cb2de6c79646db779dcb1e024c0122c9956f7b8cb7ed88', NULL, 'Python-urllib/3.11', '2026-11-30 22:18:25.228257+00', '2026-11-30 22:18:25.228257+00', '2026-12-30 22:18:25.228257+00', NULL, 1, false);
INSERT INTO taskflow.sessions VALUES ('01a22e8a-25fc-7000-92a8-fc9a9ff52156', '01a22e8a-25ce-7000-8c84-7777b1f2f828', '8bee5a921492ee03fb3ac791c79b20439de09caf45835eca9f4d3e3b56c345fc', NULL, 'Python-urllib/3.11', '2026-11-30 22:18:55.35645+00', '2026-11-30 22:18:55.35645+00', '2026-12-30 22:18:55.35645+00', NULL, 1, false);


--
-- Data for Name: suppressions; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.suppressions VALUES ('bad1@example.com', 'bad1@example.com', 'refused', '550 5.1.1 no such mailbox', '2026-11-30 22:18:47.220346+00', 0);


--
-- Data for Name: tasks; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.tasks VALUES ('01a22e89-ad74-7000-9d73-0c48db783274', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'scheduled', 'scheduled', NULL, 'scheduled
', 'pending', 2, '2031-05-05 08:00:00+00', 15, NULL, NULL, 1, '2026-11-30 22:18:24.50032+00', '2026-11-30 22:18:24.50032+00', NULL);
INSERT INTO taskflow.tasks VALUES ('01a22e89-ad8b-7000-a0b4-7f7340c7ed28', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'cancelled', 'cancelled', NULL, 'cancelled
', 'pending', 2, '2031-05-05 08:00:00+00', 30, NULL, '2026-11-30 22:18:24.555937+00', 2, '2026-11-30 22:18:24.523699+00', '2026-11-30 22:18:24.555937+00', NULL);


--
-- Data for Name: tokens; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.tokens VALUES ('01a22e88-8715-7001-9939-acd76f814ef2', 'verify_email', '01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1@example.com', '2026-11-30 22:17:09.141237+00', '2026-12-07 22:17:09.141237+00', NULL);
INSERT INTO taskflow.tokens VALUES ('01a22e89-ae57-7001-8c00-ee5f5e548f01', 'verify_email', '01a22e89-ae57-7000-8af8-f86d08fa34a8', 'bad1@example.com', '2026-11-30 22:18:24.727449+00', '2026-12-07 22:18:24.727449+00', NULL);
INSERT INTO taskflow.tokens VALUES ('01a22e89-afb1-7001-9244-464ecbb16e1a', 'verify_email', '01a22e89-afb1-7000-a710-025f58f84dab', 'later1@example.com', '2026-11-30 22:18:25.07349+00', '2026-12-07 22:18:25.07349+00', NULL);
INSERT INTO taskflow.tokens VALUES ('01a22e8a-25ce-7001-90e9-77974dfce087', 'verify_email', '01a22e8a-25ce-7000-8c84-7777b1f2f828', 'hang1@example.com', '2026-11-30 22:18:55.310862+00', '2026-12-07 22:18:55.310862+00', NULL);


--
-- Data for Name: unsubscribes; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: user_statistics; Type: TABLE DATA; Schema: taskflow; Owner: -
--



--
-- Data for Name: users; Type: TABLE DATA; Schema: taskflow; Owner: -
--

INSERT INTO taskflow.users VALUES ('01a22e88-8715-7000-b5f5-5b0fa16071a8', 'ok1', 'ok1', 'ok1@example.com', 'ok1@example.com', false, 'UTC', 'en', true, false, 1, '2026-11-30 22:17:09.141237+00', '2026-11-30 22:17:09.141237+00', '{}', NULL, NULL, 540, 127);
INSERT INTO taskflow.users VALUES ('01a22e89-afb1-7000-a710-025f58f84dab', 'later1', 'later1', 'later1@example.com', 'later1@example.com', false, 'UTC', 'en', true, false, 1, '2026-11-30 22:18:25.07349+00', '2026-11-30 22:18:25.07349+00', '{}', NULL, NULL, 540, 127);
INSERT INTO taskflow.users VALUES ('01a22e89-ae57-7000-8af8-f86d08fa34a8', 'bad1', 'bad1', 'bad1@example.com', 'bad1@example.com', false, 'UTC', 'en', true, false, 2, '2026-11-30 22:18:24.727449+00', '2026-11-30 22:18:24.727449+00', '{}', NULL, NULL, 540, 127);
INSERT INTO taskflow.users VALUES ('01a22e8a-25ce-7000-8c84-7777b1f2f828', 'hang1', 'hang1', 'hang1@example.com', 'hang1@example.com', false, 'UTC', 'en', true, false, 1, '2026-11-30 22:18:55.310862+00', '2026-11-30 22:18:55.310862+00', '{}', NULL, NULL, 540, 127);


--
-- Name: answers answers_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (user_id, key);


--
-- Name: credentials credentials_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (user_id);


--
-- Name: deliveries deliveries_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);


--
-- Name: delivery_attempts delivery_attempts_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.delivery_attempts
    ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (delivery_id, attempt);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);


--
-- Name: feed_heads feed_heads_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.feed_heads
    ADD CONSTRAINT feed_heads_pkey PRIMARY KEY (user_id);


--
-- Name: feed feed_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (user_id, seq);


--
-- Name: job_runs job_runs_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.job_runs
    ADD CONSTRAINT job_runs_pkey PRIMARY KEY (id);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (name);


--
-- Name: ledger_totals ledger_totals_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.ledger_totals
    ADD CONSTRAINT ledger_totals_pkey PRIMARY KEY (day, kind, state);


--
-- Name: mailbox mailbox_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.mailbox
    ADD CONSTRAINT mailbox_pkey PRIMARY KEY (id);


--
-- Name: meeting_participants meeting_participants_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meeting_participants
    ADD CONSTRAINT meeting_participants_pkey PRIMARY KEY (id);


--
-- Name: meeting_revisions meeting_revisions_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meeting_revisions
    ADD CONSTRAINT meeting_revisions_pkey PRIMARY KEY (meeting_id, version);


--
-- Name: meetings meetings_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meetings
    ADD CONSTRAINT meetings_pkey PRIMARY KEY (id);


--
-- Name: migrations migrations_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);


--
-- Name: nodes nodes_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (id);


--
-- Name: schema_info schema_info_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.schema_info
    ADD CONSTRAINT schema_info_pkey PRIMARY KEY (name);


--
-- Name: search_refolds search_refolds_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.search_refolds
    ADD CONSTRAINT search_refolds_pkey PRIMARY KEY (name);


--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);


--
-- Name: suppressions suppressions_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.suppressions
    ADD CONSTRAINT suppressions_pkey PRIMARY KEY (email_key);


--
-- Name: tasks tasks_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);


--
-- Name: tokens tokens_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);


--
-- Name: unsubscribes unsubscribes_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.unsubscribes
    ADD CONSTRAINT unsubscribes_pkey PRIMARY KEY (email_key, kind);


--
-- Name: user_statistics user_statistics_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.user_statistics
    ADD CONSTRAINT user_statistics_pkey PRIMARY KEY (user_id);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: idx_answers_created_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_answers_created_at ON taskflow.answers USING btree (created_at);


--
-- Name: idx_deliveries_claimed; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_claimed ON taskflow.deliveries USING btree (lease_until) WHERE (state = 'claimed'::text);


--
-- Name: idx_deliveries_dedupe_key; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE UNIQUE INDEX idx_deliveries_dedupe_key ON taskflow.deliveries USING btree (dedupe_key);


--
-- Name: idx_deliveries_failed; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_failed ON taskflow.deliveries USING btree (due_at) WHERE ((state = 'scheduled'::text) AND (last_error IS NOT NULL));


--
-- Name: idx_deliveries_given_up; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_given_up ON taskflow.deliveries USING btree (state, id) WHERE (state = ANY (ARRAY['discarded'::text, 'cancelled'::text, 'expired'::text]));


--
-- Name: idx_deliveries_kind; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_kind ON taskflow.deliveries USING btree (kind, id) WHERE (kind <> ALL (ARRAY['task_due'::text, 'task_reminder'::text, 'daily_summary'::text, 'meeting_reminder'::text]));


--
-- Name: idx_deliveries_recipient_address; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_recipient_address ON taskflow.deliveries USING btree (lower((recipient_address COLLATE "C")), id) WHERE (recipient_address IS NOT NULL);


--
-- Name: idx_deliveries_recipient_user; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_recipient_user ON taskflow.deliveries USING btree (recipient_user, id) WHERE (recipient_user IS NOT NULL);


--
-- Name: idx_deliveries_scheduled; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_scheduled ON taskflow.deliveries USING btree (priority, next_at, id) WHERE (state = 'scheduled'::text);


--
-- Name: idx_deliveries_settled_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_deliveries_settled_at ON taskflow.deliveries USING btree (settled_at) WHERE (settled_at IS NOT NULL);


--
-- Name: idx_events_entity; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_events_entity ON taskflow.events USING btree (entity_kind, entity_id, at, id);


--
-- Name: idx_feed_event; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_feed_event ON taskflow.feed USING btree (event_id);


--
-- Name: idx_job_runs_job; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_job_runs_job ON taskflow.job_runs USING btree (job, id);


--
-- Name: idx_job_runs_open; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_job_runs_open ON taskflow.job_runs USING btree (job, id) WHERE (finished_at IS NULL);


--
-- Name: idx_job_runs_slot; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE UNIQUE INDEX idx_job_runs_slot ON taskflow.job_runs USING btree (job, slot) WHERE (NOT dry_run);


--
-- Name: idx_mailbox_kept_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_mailbox_kept_at ON taskflow.mailbox USING btree (kept_at, id);


--
-- Name: idx_meeting_participants_email; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE UNIQUE INDEX idx_meeting_participants_email ON taskflow.meeting_participants USING btree (meeting_id, email_key);


--
-- Name: idx_meeting_participants_guests; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meeting_participants_guests ON taskflow.meeting_participants USING btree (email_key) WHERE (user_id IS NULL);


--
-- Name: idx_meeting_participants_user_id; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meeting_participants_user_id ON taskflow.meeting_participants USING btree (user_id, meeting_id) WHERE (user_id IS NOT NULL);


--
-- Name: idx_meetings_cancelled_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meetings_cancelled_at ON taskflow.meetings USING btree (cancelled_at) WHERE (cancelled_at IS NOT NULL);


--
-- Name: idx_meetings_created_by; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meetings_created_by ON taskflow.meetings USING btree (created_by);


--
-- Name: idx_meetings_meeting_date; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meetings_meeting_date ON taskflow.meetings USING btree (meeting_date, id);


--
-- Name: idx_meetings_tzdb; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_meetings_tzdb ON taskflow.meetings USING btree (tzdb, meeting_date, id) WHERE ((cancelled_at IS NULL) AND (ended_at IS NULL));


--
-- Name: idx_sessions_ended_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_sessions_ended_at ON taskflow.sessions USING btree (ended_at) WHERE (ended_at IS NOT NULL);


--
-- Name: idx_sessions_over_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_sessions_over_at ON taskflow.sessions USING btree (LEAST(expires_at, ended_at));


--
-- Name: idx_sessions_user_id; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_sessions_user_id ON taskflow.sessions USING btree (user_id) WHERE (ended_at IS NULL);


--
-- Name: idx_tasks_completed_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tasks_completed_at ON taskflow.tasks USING btree (completed_at, id) WHERE ((completed_at IS NOT NULL) AND (deleted_at IS NULL));


--
-- Name: idx_tasks_deleted_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tasks_deleted_at ON taskflow.tasks USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);


--
-- Name: idx_tasks_user_completed_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tasks_user_completed_at ON taskflow.tasks USING btree (user_id, completed_at) WHERE (completed_at IS NOT NULL);


--
-- Name: idx_tasks_user_id; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tasks_user_id ON taskflow.tasks USING btree (user_id, created_at, id);


--
-- Name: idx_tasks_user_status; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tasks_user_status ON taskflow.tasks USING btree (user_id, status, due_at) WHERE (deleted_at IS NULL);


--
-- Name: idx_tokens_over_at; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tokens_over_at ON taskflow.tokens USING btree (LEAST(expires_at, used_at));


--
-- Name: idx_tokens_user_id; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_tokens_user_id ON taskflow.tokens USING btree (user_id);


--
-- Name: idx_users_active; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_users_active ON taskflow.users USING btree (id) WHERE is_active;


--
-- Name: idx_users_email; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE UNIQUE INDEX idx_users_email ON taskflow.users USING btree (email_key);


--
-- Name: idx_users_summary; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE INDEX idx_users_summary ON taskflow.users USING btree (time_zone, summary_minute, id);


--
-- Name: idx_users_username; Type: INDEX; Schema: taskflow; Owner: -
--

CREATE UNIQUE INDEX idx_users_username ON taskflow.users USING btree (username_key);


--
-- Name: meetings meetings_updated_at; Type: TRIGGER; Schema: taskflow; Owner: -
--

CREATE TRIGGER meetings_updated_at BEFORE UPDATE ON taskflow.meetings FOR EACH ROW WHEN (((new.version = old.version) AND (new.updated_at = old.updated_at) AND (new.tzdb = old.tzdb) AND (NOT (new.created_by IS DISTINCT FROM old.created_by)) AND (new.search_text = old.search_text))) EXECUTE FUNCTION taskflow.touch_updated_at();


--
-- Name: tasks tasks_updated_at; Type: TRIGGER; Schema: taskflow; Owner: -
--

CREATE TRIGGER tasks_updated_at BEFORE UPDATE ON taskflow.tasks FOR EACH ROW WHEN (((new.version = old.version) AND (new.updated_at = old.updated_at) AND (new.search_text = old.search_text))) EXECUTE FUNCTION taskflow.touch_updated_at();


--
-- Name: users users_updated_at; Type: TRIGGER; Schema: taskflow; Owner: -
--

CREATE TRIGGER users_updated_at BEFORE UPDATE ON taskflow.users FOR EACH ROW WHEN (((new.version = old.version) AND (new.updated_at = old.updated_at))) EXECUTE FUNCTION taskflow.touch_updated_at();


--
-- Name: answers answers_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.answers
    ADD CONSTRAINT answers_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: credentials credentials_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.credentials
    ADD CONSTRAINT credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: delivery_attempts delivery_attempts_delivery_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.delivery_attempts
    ADD CONSTRAINT delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES taskflow.deliveries(id);


--
-- Name: feed feed_event_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.feed
    ADD CONSTRAINT feed_event_id_fkey FOREIGN KEY (event_id) REFERENCES taskflow.events(id);


--
-- Name: feed_heads feed_heads_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.feed_heads
    ADD CONSTRAINT feed_heads_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: feed feed_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.feed
    ADD CONSTRAINT feed_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: job_runs job_runs_job_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.job_runs
    ADD CONSTRAINT job_runs_job_fkey FOREIGN KEY (job) REFERENCES taskflow.jobs(name);


--
-- Name: meeting_participants meeting_participants_meeting_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meeting_participants
    ADD CONSTRAINT meeting_participants_meeting_id_fkey FOREIGN KEY (meeting_id) REFERENCES taskflow.meetings(id);


--
-- Name: meeting_participants meeting_participants_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meeting_participants
    ADD CONSTRAINT meeting_participants_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: meeting_revisions meeting_revisions_meeting_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meeting_revisions
    ADD CONSTRAINT meeting_revisions_meeting_id_fkey FOREIGN KEY (meeting_id) REFERENCES taskflow.meetings(id);


--
-- Name: meetings meetings_created_by_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.meetings
    ADD CONSTRAINT meetings_created_by_fkey FOREIGN KEY (created_by) REFERENCES taskflow.users(id);


--
-- Name: tasks tasks_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.tasks
    ADD CONSTRAINT tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: tokens tokens_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.tokens
    ADD CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- Name: user_statistics user_statistics_user_id_fkey; Type: FK CONSTRAINT; Schema: taskflow; Owner: -
--

ALTER TABLE ONLY taskflow.user_statistics
    ADD CONSTRAINT user_statistics_user_id_fkey FOREIGN KEY (user_id) REFERENCES taskflow.users(id);


--
-- PostgreSQL database dump complete
--


