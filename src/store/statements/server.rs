//! Statements of the server group, and those of the process itself.

use super::Statement;

/// The first of a million client ids.
pub static CLIENT_ID_BLOCK: Statement = Statement::new("SELECT nextval('respg.client_id_block')");
