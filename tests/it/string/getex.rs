use crate::support::client::{Value, WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn without_options_it_is_a_get() {
    matrix(|c| {
        assert_eq!(c.cmd("GETEX k"), Value::Null);
        assert_eq!(c.cmd("SET k v EX 100"), ok());
        assert_eq!(c.cmd("GETEX k"), "v");
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
    });
}

#[test]
fn sets_and_removes_the_expiry() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("GETEX k EX 100"), "v");
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("GETEX k PX 50000"), "v");
        assert!((20..=50).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("GETEX k EXAT 33177117420"), "v");
        assert_eq!(c.cmd("EXPIRETIME k"), 33177117420);
        assert_eq!(c.cmd("GETEX k PXAT 33177117420123"), "v");
        assert_eq!(c.cmd("PEXPIRETIME k"), 33177117420123);
        assert_eq!(c.cmd("GETEX k PERSIST"), "v");
        assert_eq!(c.cmd("TTL k"), -1);
        assert_eq!(c.cmd("GETEX k PXAT 1"), "v");
        assert_eq!(c.cmd("EXISTS k"), 0);
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("SET k v"), ok());
        for options in ["FOO", "EX", "EX 1 PERSIST", "PERSIST EX 1", "EX 1 PX 1", "KEEPTTL", "NX"] {
            let call = format!("GETEX s {options}");
            assert_eq!(c.cmd(call.as_str()), error("ERR syntax error"), "{options}");
        }
        assert_eq!(c.cmd("GETEX s EX abc"), error(WRONG_TYPE));
        assert_eq!(c.cmd("GETEX absent EX abc"), Value::Null);
        assert_eq!(c.cmd("GETEX k EX abc"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("GETEX k EX 0"), error("ERR invalid expire time in 'getex' command"));
    });
}
