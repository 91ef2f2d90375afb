//! How strings are copied and compared.
use bytes::Bytes;

use crate::command::copy::{Call, Class, DataType, Dialect, Difference, TypedValue, call, digest, expire};
use crate::keyspace::Kind;
use crate::keyspace::number::parse_f64;
use crate::resp::Reply;

pub static STRING: DataType = DataType {
    kind: Kind::String,
    survey: |key| vec![call(b"STRLEN", [key])],
    size: |survey| match survey {
        [Reply::Integer(length)] => length.cast_unsigned(),
        _ => 0,
    },
    piece: |_, _, _| None,
    reads: |key, _, _| vec![call(b"GET", [key])],
    value: |_, _, replies| match replies {
        [Reply::Bulk(bytes)] => Some(Box::new(Text(bytes.clone()))),
        _ => None,
    },
};

#[derive(Debug)]
struct Text(Bytes);

impl TypedValue for Text {
    fn writes(&self, key: &Bytes, expires_at: Option<i64>, dialect: Dialect) -> Vec<Call> {
        let mut set = call(b"SET", [key, &self.0]);
        match expires_at {
            None => vec![set],
            Some(at) if dialect.knows(6, 2) => {
                set.extend([Bytes::from_static(b"PXAT"), Bytes::from(at.to_string())]);
                vec![set]
            }
            Some(at) => vec![set, expire(key, at)],
        }
    }

    fn differences(&self, other: &dyn TypedValue) -> Vec<Difference> {
        let Some(Text(other)) = (other as &dyn std::any::Any).downcast_ref() else { return Vec::new() };
        let Text(own) = self;
        if own == other {
            return Vec::new();
        }
        let at = own.iter().zip(other).take_while(|(a, b)| a == b).count();
        let detail = format!("{} / {} bytes, from byte {at} on", own.len(), other.len());
        let number = |text: &Bytes| parse_f64(text).filter(|_| text.len() < 64);
        let class = match (number(own), number(other)) {
            (Some(a), Some(b)) if a == b => Class::NumberFormat,
            _ => Class::Value,
        };
        vec![Difference::new(class, detail)]
    }

    fn digest(&self) -> u64 {
        digest(&self.0)
    }
}
