use bytes::Bytes;
use fred::prelude::*;
use fred::types::{ExpireOptions, SetOptions};
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Env, custom};

crate::checks! {
    "strings: binary" => binary,
    "strings: megabyte" => megabyte,
    "strings: set options" => set_options,
    "strings: other setters and getters" => setters,
    "strings: many" => many,
    "strings: ranges" => ranges,
    "strings: LCS" => lcs,
    "strings: counters" => counters,
    "strings: bitmaps" => bitmaps,
}

fn bytes() -> Bytes {
    (0..=255).chain(*b"\r\n$-1\r\n\0").collect()
}

async fn binary(_: &Env, client: &Client) -> Outcome {
    let _: () = client.set(bytes(), bytes(), None, None, false).await?;
    eq(client.get::<Bytes, _>(bytes()).await?, bytes())?;
    eq(custom::<Vec<Bytes>>(client, "KEYS *").await?, [bytes()])?;
    let _: () = client.set("", "", None, None, false).await?;
    eq(client.get::<Option<String>, _>("").await?.as_deref(), Some(""))?;
    eq(client.get::<Option<String>, _>("none").await?, None)
}

async fn megabyte(_: &Env, client: &Client) -> Outcome {
    let value = Bytes::from(bytes().repeat(4000));
    let _: () = client.set("big", value.clone(), None, None, false).await?;
    eq(client.get::<Bytes, _>("big").await? == value, true)?;
    eq(client.getrange::<Bytes, _>("big", 500_000, 500_009).await?, value.slice(500_000..500_010))
}

async fn set_options(_: &Env, client: &Client) -> Outcome {
    let set = |value: &'static str, options, get| {
        client.set::<Option<String>, _, _>("k", value, None, options, get)
    };
    eq(set("1", Some(SetOptions::XX), false).await?, None)?;
    eq(set("1", Some(SetOptions::NX), false).await?.as_deref(), Some("OK"))?;
    eq(set("2", Some(SetOptions::NX), false).await?, None)?;
    eq(set("2", Some(SetOptions::XX), true).await?.as_deref(), Some("1"))?;
    eq(set("3", None, true).await?.as_deref(), Some("2"))?;
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs())?;
    for expiration in [
        Expiration::EX(100),
        Expiration::PX(100_000),
        Expiration::EXAT(now + 100),
        Expiration::PXAT((now + 100) * 1000),
        Expiration::KEEPTTL,
    ] {
        let _: () = client.set("k", "v", Some(expiration), None, false).await?;
        eq((95..=100).contains(&client.ttl::<i64, _>("k").await?), true)?;
    }
    let zero = client.set::<(), _, _>("k", "v", Some(Expiration::EX(0)), None, false).await;
    fails(zero, "invalid expire time in 'set' command")
}

async fn setters(_: &Env, client: &Client) -> Outcome {
    let replies: (i64, i64) = (client.setnx("k", "a").await?, client.setnx("k", "b").await?);
    eq(replies, (1, 0))?;
    eq(client.getset::<String, _, _>("k", "c").await?, "a")?;
    eq(custom::<String>(client, "GETEX k EX 50").await?, "c")?;
    eq(client.expire::<i64, _>("k", 60, Some(ExpireOptions::GT)).await?, 1)?;
    eq(client.getdel::<String, _>("k").await?, "c")?;
    eq(client.getdel::<Option<String>, _>("k").await?, None)
}

async fn many(_: &Env, client: &Client) -> Outcome {
    client.mset(vec![("a", 1), ("b", 2)]).await?;
    eq(client.msetnx::<i64, _>(vec![("b", 3), ("c", 3)]).await?, 0)?;
    eq(client.msetnx::<i64, _>(vec![("d", 4)]).await?, 1)?;
    eq(client.mget::<Vec<Option<i64>>, _>(vec!["a", "c", "d"]).await?, [Some(1), None, Some(4)])?;
    eq(client.del::<i64, _>(vec!["a", "b", "c"]).await?, 2)
}

async fn ranges(_: &Env, client: &Client) -> Outcome {
    let lengths: [i64; 4] = [
        client.append("k", "Hello").await?,
        client.append("k", " World").await?,
        client.setrange("k", 6, "Redis").await?,
        client.setrange("pad", 3, "x").await?,
    ];
    eq(lengths, [5, 11, 11, 4])?;
    eq(client.mget::<Vec<String>, _>(vec!["k", "pad"]).await?, ["Hello Redis", "\0\0\0x"])?;
    eq(
        (client.strlen::<i64, _>("k").await?, client.getrange::<String, _>("k", 6, 8).await?),
        (11, "Red".into()),
    )
}

async fn lcs(_: &Env, client: &Client) -> Outcome {
    client.mset(vec![("a", "ohmytext"), ("b", "mynewtext")]).await?;
    eq(client.lcs::<String, _, _>("a", "b", false, false, None, false).await?, "mytext")?;
    eq(client.lcs::<i64, _, _>("a", "b", true, false, None, false).await?, 6)
}

async fn counters(_: &Env, client: &Client) -> Outcome {
    let replies: [i64; 4] = [
        client.incr("n").await?,
        client.incr_by("n", 9).await?,
        client.decr("n").await?,
        client.decr_by("n", 4).await?,
    ];
    eq(replies, [1, 10, 9, 5])?;
    eq(client.incr_by_float::<String, _>("n", 0.5).await?, "5.5")?;
    fails(client.incr::<i64, _>("n").await, "value is not an integer or out of range")?;
    let _: () = client.set("n", i64::MAX, None, None, false).await?;
    fails(client.incr::<i64, _>("n").await, "increment or decrement would overflow")
}

async fn bitmaps(_: &Env, client: &Client) -> Outcome {
    eq((custom::<i64>(client, "SETBIT b 7 1").await?, custom::<i64>(client, "GETBIT b 7").await?), (0, 1))?;
    eq(custom::<i64>(client, "BITCOUNT b 0 -1 BIT").await?, 1)?;
    eq((custom::<i64>(client, "BITPOS b 1").await?, custom::<i64>(client, "BITOP NOT c b").await?), (7, 1))?;
    let line = "BITFIELD f SET u8 0 200 INCRBY u8 #1 10 GET u4 0 OVERFLOW FAIL INCRBY u8 0 100";
    eq(custom::<Vec<Option<i64>>>(client, line).await?, [Some(0), Some(10), Some(12), None])
}
