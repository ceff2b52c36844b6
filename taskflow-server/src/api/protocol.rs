//! How requests are read and responses are written, the same for every noun: bodies, headers, fields, pages, problems and
//! the document about them.

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
