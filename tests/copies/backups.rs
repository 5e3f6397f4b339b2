//! Backups that are restored.
