use crate::support::client::{Client, Protocol};
use crate::support::matrix::{Mode, matrix, run};

fn fill(c: &mut Client, count: usize) {
    fill_from(c, 1, count);
}

fn fill_from(c: &mut Client, first: usize, last: usize) {
    let calls: Vec<Vec<String>> = (first..=last)
        .map(|id| ["XADD", "s", &id.to_string(), "f", "v"].iter().map(ToString::to_string).collect())
        .collect();
    c.send(calls);
    (first..=last).for_each(|_| assert!(!c.read().is_error()));
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
        // Ids may begin again in an empty stream.
        assert_eq!(c.cmd("XTRIM s MAXLEN 0"), 10);
        assert_eq!(c.cmd("XSETID s 1"), crate::support::client::ok());
        fill_from(c, 2, 11);
        assert_eq!(c.cmd("XLEN s"), 10);
        assert_eq!(c.cmd("XREVRANGE s + - COUNT 1"), c.plain("XRANGE s 11 11"));
        assert_eq!(c.cmd("COPY s t"), 1);
        assert_eq!(c.cmd("XLEN t"), 10);
    });
}

/// Beyond what is loaded at once, and beyond what is copied among other clients' commands.
#[test]
fn far_places() {
    run(Mode::Alone, Protocol::Resp2, |c| {
        fill(c, 20_000);
        assert_eq!(c.cmd("COPY s t"), 1);
        assert_eq!(c.cmd("XLEN t"), 20_000);
        let calls: Vec<String> = (1..=200).map(|n| format!("XADD s MAXLEN 10 {} f v", 20_000 + n)).collect();
        c.send(calls.iter().map(String::as_str));
        (0..200).for_each(|_| assert!(!c.read().is_error()));
        assert_eq!(c.cmd("XLEN s"), 10);
        assert_eq!(c.cmd("XRANGE s - + COUNT 1"), c.plain("XRANGE s 20191 20191"));
        assert_eq!(c.cmd("XDEL t 5 19000"), 2);
        assert_eq!(c.cmd("XTRIM t MINID 19001"), 18_998);
        assert_eq!(c.cmd("XLEN t"), 1000);
    });
}
