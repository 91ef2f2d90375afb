//! Statements of the migration commands.

use super::Statement;

/// $1 source, $2 run id: databases, their cursors and summaries.
pub static IMPORTED: Statement = Statement::new(
    "SELECT i.db, i.cursor, i.summary FROM respg.imports i WHERE i.source = $1 AND i.run_id = $2",
);

/// $1 source, $2 db, $3 run id, $4 cursor, $5 summary.
pub static KEEP_IMPORTED: Statement = Statement::new(
    "INSERT INTO respg.imports AS i (source, db, run_id, cursor, summary) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (source, db) DO UPDATE SET run_id = $3, cursor = $4, summary = $5",
);

/// $1 source.
pub static FORGET_IMPORTED: Statement = Statement::new("DELETE FROM respg.imports i WHERE i.source = $1");
