//! The stored form of meetings.

use taskflow_core::{
    DebounceWindow, Description, DurationMinutes, EmailAddress, Location, Mailbox, Meeting, MeetingId, MeetingTitle,
    MeetingType, MeetingUrl, Timestamp, fold, search_key,
};

use crate::column::{Column, Role, SqlValue};
use crate::dialect::Dialect;
use crate::entity::{ColumnValue, Part, ReadError, Row, column, stored};
use crate::values::{entered, ids, numbers, texts};

ids!(MeetingId);
entered!(Location, MeetingTitle);
texts!(MeetingType: as_str, MeetingUrl: as_str or |_| MeetingUrl::unreadable());
numbers! {
    DurationMinutes: Integer, DurationMinutes::get, DurationMinutes::new;
}

stored! {
    Meeting in "meetings" {
        key id: MeetingId;
        fixed created_by, created_at;
        changing title, description, starts_at as meeting_date, local_start, time_zone, tzdb,
            duration as duration_minutes, location, meeting_url, meeting_type, reminder_minutes, ended_at, cancelled_at,
            sequence, version, updated_at;
        parts organizer, burst;
        derived title_key = |meeting| fold(meeting.title.as_str()), search_text = search_text;
    }
}

/// Returns the searchable text: title, description and location, folded, one line each.
fn search_text(meeting: &Meeting) -> String {
    let description = meeting.description.as_ref().map(Description::as_str);
    let location = meeting.location.as_ref().map(Location::as_str);
    let texts = [Some(meeting.title.as_str()), description, location];
    texts.map(|text| search_key(text.unwrap_or_default())).join("\n")
}

impl Part for Mailbox {
    fn columns() -> Vec<Column> {
        vec![
            column("organizer_name", Role::Changing, |it: &Self| &it.name),
            column("organizer_email", Role::Changing, |it: &Self| &it.address),
        ]
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("organizer_name", self.name.to_sql())?;
        put("organizer_email", self.address.to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        Ok(Self { name: row.get("organizer_name")?, address: row.get::<EmailAddress>("organizer_email")? })
    }
}

impl Part for Option<DebounceWindow> {
    fn columns() -> Vec<Column> {
        vec![
            Column::of::<Timestamp>("burst_since", Role::Changing),
            Column::of::<Timestamp>("burst_due_at", Role::Changing),
            Column::of::<u64>("burst_version", Role::Changing),
        ]
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("burst_since", self.map(|window| window.since).to_sql())?;
        put("burst_due_at", self.map(|window| window.due_at).to_sql())?;
        put("burst_version", self.map(|window| window.version).to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        let (since, due_at, version) = (row.get("burst_since")?, row.get("burst_due_at")?, row.get("burst_version")?);
        let (Some(since), Some(due_at), Some(version)) = (since, due_at, version) else { return Ok(None) };
        Ok(Some(DebounceWindow { since, due_at, version }))
    }
}
