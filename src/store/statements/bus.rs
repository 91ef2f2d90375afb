//! Statements of the bus.

use super::Statement;

pub static PROCESS_ID: Statement = Statement::new("SELECT nextval('respg.process_id')::integer");

pub static ENCODING: Statement = Statement::new("SELECT current_setting('server_encoding')");

/// $1 channels, $2 payloads.
pub static NOTIFY: Statement = Statement::new(
    "SELECT pg_notify(n.channel, n.payload) FROM (SELECT unnest($1::text[]), unnest($2::text[])) AS n (channel, payload)",
);

/// $1 ids, $2 kinds, $3 numbers, $4 names, $5 bodies.
pub static STORE: Statement = Statement::new(
    "INSERT INTO respg.messages (id, kind, number, name, body)
     SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::bytea[]), unnest($5::bytea[])",
);

pub static MESSAGE: Statement =
    Statement::new("SELECT m.kind, m.number, m.name, m.body FROM respg.messages m WHERE m.id = $1");

/// $1 the process, $2 kinds, $3 names, $4 numbers of clients.
pub static COUNT: Statement = Statement::new("SELECT respg.count_subscriptions($1, $2, $3, $4)");

/// $1 channels to leave, $2 channels to listen to.
pub static LISTEN: Statement = Statement::new("SELECT respg.listen($1, $2)");

pub static ENTER: Statement = Statement::new("SELECT respg.enter($1)");

/// What clients of other processes have subscribed to.
pub static SUBSCRIPTIONS: Statement = Statement::new(
    "SELECT s.process, s.kind, s.name, s.clients FROM respg.subscriptions s WHERE s.process <> $1",
);

pub static TEND: Statement = Statement::new("SELECT respg.tend_bus($1)");

pub static PUBLISH: Statement = Statement::new("SELECT respg.publish($1::bytea, $2::bytea)");

pub static SPUBLISH: Statement = Statement::new("SELECT respg.spublish($1::bytea, $2::bytea)");
