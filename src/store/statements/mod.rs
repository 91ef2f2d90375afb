//! All SQL that runs after the start, by group. Statements take arrays; the hottest have a second form for a lone key. None is built at run time.
//!
//! Arrays side by side are unpacked in a select list where it is hot: in FROM, Postgres stores each of them once more before it reads the first row.

pub mod blocking;
pub mod bus;
pub mod generic;
pub mod group_reports;
pub mod groups;
pub mod keys;
pub mod migrate;
pub mod queues;
pub mod server;
pub mod shadow;
pub mod streams;
pub mod sweep;
pub mod transactions;

/// A prepared statement's text. Connections remember what they have prepared by the address of this value, so each is a `static`.
#[derive(Debug)]
pub struct Statement {
    pub sql: &'static str,
}

impl Statement {
    pub const fn new(sql: &'static str) -> Statement {
        Statement { sql }
    }
}

/// Every statement, those on key rows in each form.
pub fn all() -> Vec<&'static Statement> {
    let mut all: Vec<&'static Statement> = [
        &shadow::TELL,
        &shadow::BEGIN_RUN,
        &shadow::END_RUN,
        &shadow::DEAD_RUNS,
        &shadow::UNSUPPORTED_TYPES,
        &shadow::FORGET_TYPES,
        &shadow::CHANGED_KEYS,
        &shadow::FORGET_CHANGED,
        &shadow::CHANGED,
        &shadow::LOCKED_KEYS,
        &blocking::VERSIONS,
        &bus::PROCESS_ID,
        &bus::ENCODING,
        &bus::NOTIFY,
        &bus::STORE,
        &bus::MESSAGE,
        &bus::COUNT,
        &bus::LISTEN,
        &bus::ENTER,
        &bus::SUBSCRIPTIONS,
        &bus::TEND,
        &bus::PUBLISH,
        &bus::SPUBLISH,
        &generic::SCAN,
        &generic::KEYS,
        &generic::RANDOMKEY,
        &keys::DELETE_PLACEHOLDERS,
        &keys::BEGIN,
        &keys::COMMIT,
        &keys::ROLLBACK,
        &keys::BARRIER,
        &keys::DATABASES,
        &migrate::IMPORTED,
        &migrate::KEEP_IMPORTED,
        &migrate::FORGET_IMPORTED,
        &migrate::FOLLOWER_SEEN,
        &migrate::FOLLOWER_GONE,
        &migrate::FOLLOWER,
        &migrate::ASK_RESYNC,
        &migrate::TAKE_RESYNCS,
        &migrate::ANSWER_RESYNC,
        &migrate::RESYNC_OUTCOMES,
        &migrate::FORGET_RESYNC,
        &queues::ADD_SCHEDULED,
        &queues::DUE_KEYS,
        &queues::WITH_OPTIONS,
        &queues::APPLY_RETENTION,
        &queues::CLEAN_ARCHIVE,
        &queues::SET_OPTIONS,
        &queues::GET_OPTIONS,
        &queues::ADD_LATER,
        &queues::CANCEL,
        &queues::ARCHIVE,
        &queues::BURY,
        &server::CLIENT_ID_BLOCK,
        &server::DBSIZE,
        &server::FLUSHDB,
        &server::FLUSHALL,
        &server::SWAPDB,
        &server::KEYSPACE,
        &server::TIME,
        &server::CHECKPOINT,
        &server::SETTING,
        &server::BEGIN_MODE,
        &server::CHANGE_MODE,
        &server::LIVE_PROCESSES,
        &server::AWAITED_PROCESSES,
        &server::ENTER_PASSING,
        &server::LEAVE_PASSING,
        &server::PASSING_PROCESSES,
        &server::END_SESSIONS_OF,
        &server::END_SESSIONS,
        &server::LOSE,
        &server::ANY_KEY,
        &server::CHANGE_SETTING,
        &sweep::EXPIRE_KEYS,
        &sweep::BEGIN_SWEEPING,
        &sweep::FORGET_SPACES,
        &group_reports::PENDING_SUMMARY,
        &group_reports::PENDING_RANGE,
        &group_reports::CONSUMERS,
        &group_reports::GROUPS,
        &group_reports::STREAM,
        &group_reports::STREAM_FULL,
        &groups::GROUP,
        &groups::GROUP_WITH_BOUNDS,
        &groups::HIGHEST_GROUP,
        &groups::CONSUMERS,
        &groups::NEW,
        &groups::AFTER,
        &groups::ENTRIES,
        &groups::PENDING,
        &groups::SCAN,
        &groups::HISTORY,
        &groups::COUNT,
        &groups::DESTROY_GROUPS,
        &groups::DELETE_CONSUMERS,
        &groups::INSERT_GROUPS,
        &groups::INSERT_CURSORS,
        &groups::INSERT_CONSUMERS,
        &streams::STREAMS,
        &streams::OBJECT_IDS,
        &streams::DELETE_ENTRIES,
        &streams::DELETE_RANGES,
        &streams::LEAVE_RANGES,
        &streams::COPY,
        &streams::DROP_OBJECTS,
        &streams::HEAD,
        &streams::TAIL,
        &streams::FROM,
        &streams::FORGET_RANGES,
        &streams::PRESENT,
        &streams::COUNT_BELOW,
        &streams::LENGTH,
        &streams::RANGE,
        &streams::REVERSE_RANGE,
        &streams::READ,
        &streams::SWEEP,
        &transactions::WATCH,
    ]
    .to_vec();
    let on_keys = [
        &groups::UPDATE_CURSORS,
        &groups::UPDATE_ACTIVITY,
        &groups::DELETE_PENDING,
        &groups::UPDATE_PENDING,
        &groups::INSERT_PENDING,
        &keys::READ,
        &keys::READ_SPACE,
        &keys::READ_ONE,
        &keys::LOCK,
        &keys::OVERWRITE,
        &keys::OVERWRITE_ONE,
        &keys::ADD,
        &keys::ADD_ONE,
        &keys::UPDATE,
        &keys::INSERT,
        &keys::DELETE,
        &streams::OF_KEYS,
        &streams::INSERT,
        &streams::UPDATE,
        &streams::INSERT_ENTRIES,
        &sweep::SWEEP,
        &sweep::HAS_STATISTICS,
        &sweep::ANALYZE,
    ];
    all.extend(on_keys.into_iter().flat_map(|forms| [&forms.logged, &forms.unlogged, &forms.any]));
    all
}

/// A statement on key rows in three forms: for the logged table, for the unlogged one, and for both at once. Naming the table
/// saves 5 to 12 % against going through the partitioned parent (pgbench, batches of 200, Postgres 15).
#[derive(Debug)]
pub struct KeyStatement {
    pub logged: Statement,
    pub unlogged: Statement,
    pub any: Statement,
}

/// `key_statement!(before, after ...)`: the text with the table's name put in between the parts.
macro_rules! key_statement {
    ($first:expr $(, $part:expr)+) => {
        $crate::store::statements::KeyStatement {
            logged: $crate::store::statements::Statement::new(concat!($first $(, "respg.keys_logged", $part)+)),
            unlogged: $crate::store::statements::Statement::new(concat!($first $(, "respg.keys_unlogged", $part)+)),
            any: $crate::store::statements::Statement::new(concat!($first $(, "respg.keys", $part)+)),
        }
    };
}
pub(crate) use key_statement;

/// Whether the listening session of a process is there: it holds a lock from the moment in which it listens (`respg.enter`).
macro_rules! listens {
    ($process:literal) => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM pg_locks l
                 WHERE l.locktype = 'advisory' AND l.classid::bigint = 1919250544 AND l.objid::bigint = ",
            $process,
            " AND l.objsubid = 2 AND l.granted
                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))"
        )
    };
}
pub(crate) use listens;

/// As `key_statement!` for any tables: each part but the last ends with the name of a table without what tells its partitions apart.
macro_rules! object_statement {
    ($first:literal $(, $part:literal)+) => {
        $crate::store::statements::KeyStatement {
            logged: $crate::store::statements::Statement::new(concat!($first $(, "_logged", $part)+)),
            unlogged: $crate::store::statements::Statement::new(concat!($first $(, "_unlogged", $part)+)),
            any: $crate::store::statements::Statement::new(concat!($first $(, $part)+)),
        }
    };
}
pub(crate) use object_statement;
