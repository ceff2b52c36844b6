//! `taskflow config`.

use super::failure::Failure;
use super::output;
use crate::config::{Config, Origin};

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let head = ["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec();
    let row = |(name, value, from): (&str, String, Origin)| vec![name.to_owned(), value, from.to_string()];
    let rows: Vec<_> = std::iter::once(head).chain(config.effective().into_iter().map(row)).collect();
    output::line(&output::table(&rows))?;
    config.remarks.iter().try_for_each(|remark| output::line(&format!("\nnote: {remark}")))
}
