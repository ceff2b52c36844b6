//! The stored form of participants.

use taskflow_core::{
    Comment, DeliveryProblem, LastNotified, MeetingResponse, MeetingRole, OwnReminders, Participant, ParticipantId,
    PersonName, ReminderMinutes,
};

use crate::column::{Column, ColumnType, Role, SqlValue};
use crate::dialect::Dialect;
use crate::entity::{ColumnValue, Part, ReadError, Row, stored};
use crate::values::{entered, ids, text, texts};

ids!(ParticipantId);
entered!(Comment, DeliveryProblem, PersonName);
texts!(MeetingResponse: as_str, MeetingRole: as_str);

stored! {
    Participant in "meeting_participants" {
        key id: ParticipantId;
        fixed meeting_id;
        changing user_id, email, name, role, response as response_status, comment, responded_at, answered_version,
            reset_response, proposed_start, locale, time_zone, delivery_problem, reminders, removed_at, merged_into, version;
        parts told;
        derived email_key = |participant| participant.email.key();
    }
}

/// Updates leave what participants were told as it is: settlements write that.
impl Part for Option<LastNotified> {
    fn columns() -> Vec<Column> {
        vec![Column::of::<u64>("told_version", Role::Fixed), Column::of::<bool>("told_on", Role::Fixed)]
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("told_version", self.map(|told| told.version).to_sql())?;
        put("told_on", self.map(|told| told.on).to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        let (version, on): (Option<u64>, Option<bool>) = (row.get("told_version")?, row.get("told_on")?);
        Ok(version.zip(on).map(|(version, on)| LastNotified { version, on }))
    }
}

impl ColumnValue for OwnReminders {
    const TYPE: ColumnType = ColumnType::Integers;

    fn to_sql(&self) -> SqlValue<'_> {
        SqlValue::Integers(self.minutes().iter().map(|minutes| minutes.get().into()).collect())
    }

    fn from_sql(value: SqlValue<'_>) -> Result<Self, String> {
        let minutes = match value {
            SqlValue::Integers(minutes) => minutes,
            value => text(&value, |json| serde_json::from_str(json).map_err(|error| error.to_string()))?,
        };
        let minutes: Result<Vec<_>, _> =
            minutes.into_iter().map(|minutes| ReminderMinutes::from_sql(SqlValue::Integer(minutes))).collect();
        OwnReminders::new(minutes?).map_err(|error| error.to_string())
    }

    /// None.
    fn stand_in(_value: &SqlValue<'_>) -> Option<Self> {
        OwnReminders::new(Vec::new()).ok()
    }
}
