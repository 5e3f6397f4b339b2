//! What a database refuses: its word on the content, which is an answer and no failure.

use rusqlite::ErrorCode;

/// Whether an error is the database's word on the content and not a failure to work.
pub(super) fn is_refusal(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::TooBig];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

/// What it says.
pub(super) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
