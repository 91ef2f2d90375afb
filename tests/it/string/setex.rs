use crate::support::client::{error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn setex() {
    matrix(|c| {
        make_stream(c.db, "k");
        assert_eq!(c.cmd("SETEX k 100 v"), ok());
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("PSETEX k 50000 w"), ok());
        assert!((20..=50).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("GET k"), "w");
    });
}

#[test]
fn errors() {
    matrix(|c| {
        assert_eq!(c.cmd("SETEX k abc v"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("SETEX k 0 v"), error("ERR invalid expire time in 'setex' command"));
        let too_long = error("ERR invalid expire time in 'psetex' command");
        assert_eq!(c.cmd("PSETEX k 9223372036854775807 v"), too_long);
        assert_eq!(c.cmd("EXISTS k"), 0);
    });
}
