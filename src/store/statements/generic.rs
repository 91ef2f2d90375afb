//! Statements of the group.
