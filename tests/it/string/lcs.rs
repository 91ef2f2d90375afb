use crate::support::client::{array, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn text_and_length() {
    matrix(|c| {
        assert_eq!(c.cmd("MSET a ohmytext b mynewtext"), ok());
        assert_eq!(c.cmd("LCS a b"), "mytext");
        assert_eq!(c.cmd("LCS a b LEN"), 6);
        assert_eq!(c.cmd("LCS a absent"), "");
        assert_eq!(c.cmd("LCS a a"), "ohmytext");
    });
}

#[test]
fn indexes() {
    matrix(|c| {
        assert_eq!(c.cmd("MSET a ohmytext b mynewtext"), ok());
        let matches = |matches| vec![("matches".into(), matches), ("len".into(), 6.into())];
        let (text, my) = (array![array![4, 7], array![5, 8]], array![array![2, 3], array![0, 1]]);
        assert_eq!(c.cmd("LCS a b IDX").map(), matches(array![text.clone(), my]));
        assert_eq!(c.cmd("LCS a b IDX MINMATCHLEN 4").map(), matches(array![text]));
        let text = array![array![4, 7], array![5, 8], 4];
        assert_eq!(c.cmd("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN").map(), matches(array![text]));
    });
}

#[test]
fn errors() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("LCS a s FOO"), error("ERR The specified keys must contain string values"));
        assert_eq!(c.cmd("LCS a b FOO"), error("ERR syntax error"));
        let both = error("ERR If you want both the length and indexes, please just use IDX.");
        assert_eq!(c.cmd("LCS a b LEN IDX"), both);
    });
}
