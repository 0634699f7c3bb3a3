//! What went wrong, and what to do about it.

use sqlx::mysql::MySqlDatabaseError;

use crate::backend::StoreError;
use crate::store::sql::SqlSettings;
use crate::store::sql::connections::CallError;

/// The server's number of an error.
pub(super) fn number(error: &CallError) -> Option<u16> {
    match error {
        CallError::Failed(error) => {
            let error = error.as_database_error()?;
            let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
            Some(error.number())
        }
        CallError::Hung(_) => None,
    }
}

/// Whether a transaction was sacrificed for another one (a deadlock), and may be tried again.
pub(super) fn is_lost_race(error: &CallError) -> bool {
    // 1020: MariaDB 11 calls it so when a row has changed under a transaction.
    matches!(number(error), Some(1213 | 1020))
}

/// Whether a table is not there.
pub(super) fn is_no_table(error: &CallError) -> bool {
    number(error) == Some(1146)
}

/// The error of a store that is not open yet: some never pass by themselves.
pub(super) fn at_start(error: &CallError, settings: &SqlSettings) -> StoreError {
    let place = settings.place();
    let Some(number) = number(error) else {
        let told = error.told();
        return StoreError::Io(format!(
            "the database {place}: {told}; does it run there, and is the address right?"
        ));
    };
    let database = settings.schema.as_deref().unwrap_or("the database");
    let todo = match number {
        1045 | 1698 => "check user and password in the address".to_owned(),
        1049 => "make it with CREATE DATABASE, or name another in the address".to_owned(),
        1046 => "name a database in the address: mysql://user:password@host:3306/database".into(),
        1044 | 1142 | 1143 | 1227 | 1370 => format!(
            "for the first start: GRANT CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE ON \
             {database}.* TO the user; when the tables are there, SELECT, INSERT, UPDATE and \
             DELETE on the tables {}… are enough",
            settings.prefix
        ),
        _ => return error.passing(&place),
    };
    StoreError::Refused(format!("the database {place}: {}; {todo}", error.told()))
}
