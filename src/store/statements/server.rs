//! Statements of the server group, and those of the process itself.

use super::{Statement, listens};

/// The first of a million client ids.
pub static CLIENT_ID_BLOCK: Statement = Statement::new("SELECT nextval('respg.client_id_block')");

/// $1 db.
pub static DBSIZE: Statement = Statement::new("SELECT respg.dbsize($1)");

/// $1 db.
pub static FLUSHDB: Statement = Statement::new("SELECT respg.flushdb($1)");

pub static FLUSHALL: Statement = Statement::new("SELECT respg.flushall()");

/// $1 and $2 databases.
pub static SWAPDB: Statement = Statement::new("SELECT respg.swapdb($1, $2)");

/// db, keys, keys with an expiry, their average time to live in milliseconds, of every database with live keys; and one row with the
/// server's version (db -1).
pub static KEYSPACE: Statement = Statement::new(
    "SELECT -1 AS db, 0::bigint AS keys, 0::bigint AS expires, 0::bigint AS ttl, current_setting('server_version') AS version
     UNION ALL
     SELECT d.db, count(*), count(k.expires_at), coalesce(avg(k.expires_at - c.now_ms), 0)::bigint, NULL
     FROM (SELECT floor(date_part('epoch', now()) * 1000)::bigint AS now_ms) c, respg.databases d
     JOIN respg.keys k ON k.space = d.space
     WHERE k.type > 0 AND (k.expires_at IS NULL OR k.expires_at >= c.now_ms)
     GROUP BY d.db
     ORDER BY 1",
);

/// The database's clock in microseconds.
pub static TIME: Statement = Statement::new("SELECT (extract(epoch FROM now()) * 1000000)::bigint");

pub static CHECKPOINT: Statement = Statement::new("CHECKPOINT");

pub static SETTING: Statement = Statement::new("SELECT s.value FROM respg.settings s WHERE s.name = $1");

/// $1 the setting, $2 its first value.
pub static BEGIN_MODE: Statement =
    Statement::new("INSERT INTO respg.settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");

/// $1 the setting, $2 its value so far, $3 its value from now on; no row if it had another value.
pub static CHANGE_MODE: Statement =
    Statement::new("UPDATE respg.settings SET value = $3 WHERE name = $1 AND value = $2 RETURNING 1");

/// The processes whose listening session is there.
pub static LIVE_PROCESSES: Statement =
    Statement::new(concat!("SELECT p.process FROM respg.processes p WHERE ", listens!("p.process")));

/// The processes that may answer clients, and whether their listening session is there. Who has lost it hears nothing, but says at least once a second that
/// it is there (LOSE); who does not is gone.
pub static AWAITED_PROCESSES: Statement = Statement::new(concat!(
    "SELECT a.process, ",
    listens!("a.process"),
    " FROM (SELECT p.process FROM respg.processes p
           UNION SELECT g.process FROM respg.lost_processes g WHERE g.seen_at > now() - interval '2 seconds') a"
));

/// $1 the process, $2 its connection to the upstream, $3 where it runs, $4 the number of its sessions.
pub static ENTER_PASSING: Statement = Statement::new(
    "INSERT INTO respg.passing_processes AS p (process, connection, place, sessions) VALUES ($1, $2, $3, $4)
     ON CONFLICT (process) DO UPDATE SET connection = excluded.connection, entered = p.entered + 1",
);

/// $1 the process, $2 how many times it has been entered; if this is NULL however often.
pub static LEAVE_PASSING: Statement = Statement::new(
    "DELETE FROM respg.passing_processes p WHERE p.process = $1 AND p.entered = coalesce($2, p.entered)",
);

/// $1 the process that asks: the others that may pass commands on, and whether their listening session is there.
pub static PASSING_PROCESSES: Statement = Statement::new(concat!(
    "SELECT p.process, p.connection, p.place, p.sessions, p.entered, ",
    listens!("p.process"),
    " FROM respg.passing_processes p WHERE p.process <> $1 ORDER BY p.process"
));

/// $1 the number of a process's sessions: ends these sessions. Those that are not gone yet.
pub static END_SESSIONS_OF: Statement = Statement::new(
    "SELECT l.pid, pg_terminate_backend(l.pid) FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.classid::bigint = 1919250545 AND l.objid::bigint = $1 AND l.objsubid = 2
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())",
);

/// $1 processes of Postgres, $2 when each was a session of ours: ends these sessions. Those that are not gone yet.
pub static END_SESSIONS: Statement = Statement::new(
    "WITH ours AS MATERIALIZED (
         SELECT a.pid FROM pg_stat_activity a
         JOIN unnest($1::int[], $2::float8[]) AS l (pid, seen_at)
             ON l.pid = a.pid AND extract(epoch FROM a.backend_start)::float8 <= l.seen_at
         WHERE a.pid <> pg_backend_pid())
     SELECT o.pid, pg_terminate_backend(o.pid) FROM ours o",
);

/// $1 the process that does not hear anything.
pub static LOSE: Statement = Statement::new("SELECT respg.lose($1)");

pub static CHANGE_SETTING: Statement = Statement::new("SELECT respg.change_setting($1, $2)");

/// Whether there is any key.
pub static ANY_KEY: Statement = Statement::new(
    "SELECT EXISTS (SELECT 1 FROM respg.databases d JOIN respg.keys k ON k.space = d.space WHERE k.type > 0)",
);
