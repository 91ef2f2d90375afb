use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn adds() {
    matrix(|c| {
        assert_eq!(c.cmd("INCRBYFLOAT k 10.5"), "10.5");
        assert_eq!(c.cmd("INCRBYFLOAT k 0.1"), "10.6");
        assert_eq!(c.cmd("INCRBYFLOAT k -5"), "5.6");
        assert_eq!(c.cmd("GET k"), "5.6");
        assert_eq!(c.cmd("SET k 5.0e3 EX 100"), ok());
        assert_eq!(c.cmd("INCRBYFLOAT k 2.0e2"), "5200");
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("INCRBYFLOAT k 0x10"), "5216");
        assert_eq!(c.cmd("INCR k"), 5217);
    });
}

#[test]
fn has_the_digits_of_a_long_double() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k 3"), ok());
        assert_eq!(c.cmd("INCRBYFLOAT k 1.000000000000000005"), "4.00000000000000001");
        assert_eq!(c.cmd("SET k 17179869184"), ok());
        assert_eq!(c.cmd("INCRBYFLOAT k 1.5"), "17179869185.5");
    });
}

#[test]
fn errors() {
    matrix(|c| {
        let not_a_float = error("ERR value is not a valid float");
        make_stream(c.db, "s");
        assert_eq!(c.cmd("INCRBYFLOAT s x"), error(WRONG_TYPE));
        assert_eq!(c.cmd("INCRBYFLOAT k x"), not_a_float);
        assert_eq!(c.cmd("INCRBYFLOAT k nan"), not_a_float);
        assert_eq!(c.cmd("INCRBYFLOAT k inf"), error("ERR increment would produce NaN or Infinity"));
        assert_eq!(c.cmd("EXISTS k"), 0);
        for value in ["", " 1", "1 ", "x"] {
            assert_eq!(c.cmd(["SET", "k", value]), ok());
            assert_eq!(c.cmd("INCRBYFLOAT k 1"), not_a_float, "{value}");
        }
    });
}
