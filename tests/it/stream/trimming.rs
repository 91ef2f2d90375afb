use crate::support::client::Client;
use crate::support::matrix::matrix;

fn fill(c: &mut Client, count: usize) {
    let calls: Vec<Vec<String>> = (1..=count)
        .map(|id| ["XADD", "s", &id.to_string(), "f", "v"].iter().map(ToString::to_string).collect())
        .collect();
    c.send(calls);
    (0..count).for_each(|_| assert!(!c.read().is_error()));
}

#[test]
fn xtrim_exactly() {
    matrix(|c| {
        fill(c, 500);
        assert_eq!(c.cmd("XTRIM s MAXLEN 500"), 0);
        assert_eq!(c.cmd("XTRIM s MAXLEN = 450"), 50);
        assert_eq!(c.cmd("XDEL s 52 53"), 2);
        assert_eq!(c.cmd("XTRIM s MINID 55-0"), 2);
        assert_eq!(c.cmd("XLEN s"), 446);
        assert_eq!(c.cmd("XTRIM s MINID 499"), 444);
        assert_eq!(c.cmd("XADD s MAXLEN 2 501 f v"), "501-0");
        assert_eq!(c.cmd("XRANGE s - + COUNT 1"), c.plain("XRANGE s 500 500"));
        assert_eq!(c.cmd("XTRIM s MAXLEN 0"), 2);
        assert_eq!(c.cmd("XTRIM s MAXLEN 0"), 0);
        assert_eq!(c.cmd("XLEN s"), 0);
        assert_eq!(c.cmd("XADD s 502 f v"), "502-0");
        assert_eq!(c.cmd("XLEN s"), 1);
    });
}

/// Redis trims whole nodes of 100 entries.
#[test]
fn xtrim_by_nodes() {
    matrix(|c| {
        fill(c, 350);
        assert_eq!(c.cmd("XTRIM s MAXLEN ~ 251"), 0);
        assert_eq!(c.cmd("XTRIM s MAXLEN ~ 250"), 100);
        assert_eq!(c.cmd("XTRIM s MAXLEN ~ 0 LIMIT 99"), 0);
        assert_eq!(c.cmd("XTRIM s MINID ~ 300"), 100);
        assert_eq!(c.cmd("XRANGE s - + COUNT 1"), c.plain("XRANGE s 201 201"));
        assert_eq!(c.cmd("XADD s MAXLEN ~ 10 351 f v"), "351-0");
        assert_eq!(c.cmd("XLEN s"), 51);
    });
}

/// More than one statement deletes at once.
#[test]
fn many_entries() {
    matrix(|c| {
        fill(c, 3000);
        assert_eq!(c.cmd("XTRIM s MAXLEN 10"), 2990);
        assert_eq!(c.cmd("XLEN s"), 10);
        assert_eq!(c.cmd("XRANGE s - + COUNT 1"), c.plain("XRANGE s 2991 2991"));
        assert_eq!(c.cmd("XRANGE s - 2990"), crate::support::client::array![]);
        assert_eq!(c.cmd("COPY s t"), 1);
        assert_eq!(c.cmd("XLEN t"), 10);
    });
}
