use crate::support::client::{Value, error, ok};
use crate::support::matrix::matrix;

#[test]
fn what_redis_would_keep() {
    matrix(|c| {
        assert_eq!(c.cmd(["MSET", "int", "12", "short", "v", "long", &"v".repeat(45)]), ok());
        assert_eq!(c.cmd("OBJECT ENCODING int"), "int");
        assert_eq!(c.cmd("OBJECT ENCODING short"), "embstr");
        assert_eq!(c.cmd("OBJECT ENCODING long"), "raw");
        assert_eq!(c.cmd("OBJECT ENCODING none"), Value::Null);
        assert_eq!(c.cmd("OBJECT REFCOUNT int"), i64::from(i32::MAX));
        assert_eq!(c.cmd("OBJECT REFCOUNT long"), 1);
        assert!(c.cmd("OBJECT FREQ int").is_error());
        assert_eq!(c.cmd("OBJECT FREQ none"), Value::Null);
        assert_eq!(
            c.cmd("OBJECT IDLETIME int"),
            error("ERR respg does not keep access times, idle time not tracked")
        );
        assert!(matches!(c.cmd("OBJECT HELP"), Value::Array(lines) if lines.len() == 15));
        assert_eq!(c.cmd("OBJECT X int"), error("ERR unknown subcommand 'X'. Try OBJECT HELP."));
    });
}
