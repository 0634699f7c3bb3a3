//! What went wrong at the start, and what to do about it.

use crate::backend::StoreError;
use crate::store::sql::SqlSettings;
use crate::store::sql::connections::CallError;

/// The error of a store that is not open yet: some never pass by themselves.
pub(super) fn at_start(error: &CallError, settings: &SqlSettings) -> StoreError {
    let place = settings.place();
    let Some(code) = error.code() else {
        let told = error.told();
        return StoreError::Io(format!(
            "the database {place}: {told}; does it run there, and is the address right?"
        ));
    };
    let todo = match &*code {
        "28P01" | "28000" => "check user and password in the address, and pg_hba.conf".to_owned(),
        "3D000" => "make it with CREATE DATABASE, or name another in the address".to_owned(),
        "42501" => missing_rights(settings),
        "3F000" => "make the schema with CREATE SCHEMA, or name one that is there".to_owned(),
        _ => return error.passing(&place),
    };
    StoreError::Refused(format!("the database {place}: {}; {todo}", error.told()))
}

fn missing_rights(settings: &SqlSettings) -> String {
    let schema = settings.schema.as_deref().unwrap_or("public");
    format!(
        "for the first start: GRANT USAGE, CREATE ON SCHEMA {schema} TO the user; when the tables \
         are there: GRANT SELECT, INSERT, UPDATE, DELETE ON the tables {}… TO the user, and \
         GRANT USAGE ON the sequence of {}parts",
        settings.prefix, settings.prefix
    )
}
