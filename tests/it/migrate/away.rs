//! A side is away for a while, takes nothing, or is another one when it is back.

use super::run;
use crate::support::pg::fresh_database;
use crate::support::redis::Redis;
use crate::support::respg::blocking;

#[test]
fn what_a_user_may_not_do() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    super::all(&mut redis.connect(), &["ACL SETUSER app on >pass ~* +@all -scan", "SET k v"]);
    let url = format!("redis://app:pass@{}", redis.address());
    let (code, said) = run("import", &url, &database, &[]);
    let why = "keys cannot be listed: NOPERM this user has no permissions to run the 'scan' command";
    assert!((code, said.contains(why), said.lines().count()) == (1, true, 1), "{said}");
}
