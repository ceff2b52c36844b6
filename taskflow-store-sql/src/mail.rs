//! The stored form of suppressions and of the dev mailbox.

use taskflow_core::{CapturedMail, Content, DeliveryId, EmailAddress, Suppression, SuppressionCause};

use crate::column::{Column, Role, SqlValue};
use crate::dialect::Dialect;
use crate::entity::{ColumnValue, Part, ReadError, Row, column, stored};
use crate::values::{ids, texts};

ids!(DeliveryId);
// The strictest cause, so that nobody is written to who may not be.
texts!(SuppressionCause: as_str or |_| SuppressionCause::Admin);

stored! {
    Suppression in "suppressions" {
        key email: EmailAddress;
        fixed cause, detail, at;
        changing overrides;
        derived email_key = |suppression| suppression.email.key();
    }
}

stored! {
    CapturedMail in "mailbox" {
        key id: DeliveryId;
        changing kept_at, to as recipient, source;
        parts content;
    }
}

impl Part for Content {
    fn columns() -> Vec<Column> {
        vec![
            column("subject", Role::Changing, |it: &Self| &it.subject),
            column("text", Role::Changing, |it: &Self| &it.text),
            column("html", Role::Changing, |it: &Self| &it.html),
        ]
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("subject", self.subject.to_sql())?;
        put("text", self.text.to_sql())?;
        put("html", self.html.to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        Ok(Self { subject: row.get("subject")?, text: row.get("text")?, html: row.get("html")? })
    }
}
