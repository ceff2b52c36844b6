//! Requests and responses, in one way for all resources: bodies, headers, fields, pages, problems and the document that
//! describes them.

pub(super) mod answer;
pub(super) mod body;
pub(super) mod document;
pub(super) mod error;
pub(super) mod etag;
pub(super) mod field;
mod header;
pub(super) mod html;
pub(super) mod list;
pub(super) mod once;
pub(super) mod refuses;
pub(super) mod wire;

use self::error::ApiError;
use self::field::{Field, ValidationErrors};
use self::wire::{Val, Wire};
