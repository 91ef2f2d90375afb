use crate::support::client::{array, error};
use crate::support::matrix::matrix;

#[test]
fn nobody_to_wait_for() {
    matrix(|c| {
        assert_eq!(c.cmd("WAIT 1 100"), 0);
        assert_eq!(c.cmd("WAIT 0 -1"), error("ERR timeout is negative"));
        // The databases of the tests are of class durable.
        assert_eq!(c.cmd("WAITAOF 1 0 100"), array![1, 0]);
        assert_eq!(c.cmd("WAITAOF 2 0 0"), error("ERR value is out of range, value must between 0 and 1"));
    });
}
