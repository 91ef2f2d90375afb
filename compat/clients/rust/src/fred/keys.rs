use std::collections::HashSet;
use std::time::Duration;

use fred::prelude::*;
use fred::types::scan::ScanType;
use fred::types::{ExpireOptions, Key};
use futures::TryStreamExt;
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Env, custom};

crate::checks! {
    "keys: expiry" => expiry,
    "keys: expired keys are gone" => gone,
    "keys: scan streams" => scan,
    "keys: keyspace" => keyspace,
    "keys: rename, copy, move" => rename,
    "keys: dump, restore" => dump,
}

async fn set(client: &Client, key: &str, value: &str) -> FredResult<()> {
    client.set(key, value, None, None, false).await
}

async fn expiry(_: &Env, client: &Client) -> Outcome {
    set(client, "k", "v").await?;
    eq((client.ttl::<i64, _>("k").await?, client.pttl::<i64, _>("none").await?), (-1, -2))?;
    eq(client.expire::<i64, _>("k", 100, Some(ExpireOptions::XX)).await?, 0)?;
    eq(client.expire::<i64, _>("k", 100, Some(ExpireOptions::NX)).await?, 1)?;
    eq(client.ttl::<i64, _>("k").await? > 90, true)?;
    eq(client.pexpire::<i64, _>("k", 200_000, Some(ExpireOptions::LT)).await?, 0)?;
    eq(client.expire_at::<i64, _>("k", 9_999_999_999, None).await?, 1)?;
    eq(client.expire_time::<i64, _>("k").await?, 9_999_999_999)?;
    eq(client.pexpire_at::<i64, _>("k", 9_999_999_999_007, Some(ExpireOptions::GT)).await?, 1)?;
    eq(client.pexpire_time::<i64, _>("k").await?, 9_999_999_999_007)?;
    eq((client.persist::<i64, _>("k").await?, client.persist::<i64, _>("k").await?), (1, 0))
}

async fn gone(_: &Env, client: &Client) -> Outcome {
    let _: () = client.set("k", "v", Some(Expiration::PX(30)), None, false).await?;
    tokio::time::sleep(Duration::from_millis(60)).await;
    eq((client.get::<Option<String>, _>("k").await?, client.exists::<i64, _>("k").await?), (None, 0))?;
    eq(client.setnx::<i64, _, _>("k", "new").await?, 1)
}

async fn scan(_: &Env, client: &Client) -> Outcome {
    let pairs: Vec<(String, i64)> = (0..1000).map(|n| (format!("scan:{n}"), n)).collect();
    client.mset(pairs).await?;
    set(client, "other", "1").await?;
    let found = |pattern: &'static str, kind| {
        client.scan_buffered(pattern, Some(50), kind).try_collect::<HashSet<Key>>()
    };
    eq(found("*", None).await?.len(), 1001)?;
    eq(found("scan:*", Some(ScanType::String)).await?.len(), 1000)?;
    eq(found("oth[a-z]r", None).await?, HashSet::from([Key::from("other")]))?;
    eq(found("*", Some(ScanType::List)).await?, HashSet::new())
}

async fn keyspace(_: &Env, client: &Client) -> Outcome {
    eq(client.randomkey::<Option<String>>().await?, None)?;
    client.mset(vec![("a", "1"), ("b", "text")]).await?;
    eq(client.exists::<i64, _>(vec!["a", "b", "a", "c"]).await?, 3)?;
    eq(
        (client.r#type::<String, _>("a").await?, client.r#type::<String, _>("c").await?),
        ("string".into(), "none".into()),
    )?;
    eq((custom::<i64>(client, "TOUCH a c").await?, client.dbsize::<i64>().await?), (1, 2))?;
    let encodings: (String, String) =
        (custom(client, "OBJECT ENCODING a").await?, custom(client, "OBJECT ENCODING b").await?);
    eq(encodings, ("int".into(), "embstr".into()))?;
    eq(client.memory_usage::<i64, _>("b", None).await? > 4, true)?;
    eq(client.unlink::<i64, _>(vec!["a", "b", "c"]).await?, 2)
}

async fn rename(env: &Env, client: &Client) -> Outcome {
    let _: () = client.set("a", "1", Some(Expiration::EX(100)), None, false).await?;
    client.rename::<(), _, _>("a", "b").await?;
    eq((client.ttl::<i64, _>("b").await? > 90, client.exists::<i64, _>("a").await?), (true, 0))?;
    fails(client.rename::<(), _, _>("a", "b").await, "no such key")?;
    set(client, "a", "2").await?;
    eq(client.renamenx::<i64, _, _>("a", "b").await?, 0)?;
    eq(client.copy::<i64, _, _>("a", "b", None, false).await?, 0)?;
    eq(client.copy::<i64, _, _>("a", "b", None, true).await?, 1)?;
    let mine = format!("moved:{}", env.servers.db);
    let other = env.connect().await?;
    other.select(15).await?;
    let _: i64 = other.del(&mine).await?;
    eq(client.copy::<i64, _, _>("a", &mine, Some(15), false).await?, 1)?;
    eq(other.getdel::<String, _>(&mine).await?, "2")
}

async fn dump(_: &Env, client: &Client) -> Outcome {
    set(client, "k", "\0\u{7f}").await?;
    let dump: Value = client.dump("k").await?;
    let restore = |key: &'static str, value: &Value| {
        client.restore::<(), _>(key, 0, value.clone(), false, false, None, None)
    };
    restore("copy", &dump).await?;
    eq(client.get::<String, _>("copy").await?, "\0\u{7f}")?;
    fails(restore("copy", &dump).await, "BUSYKEY Target key name already exists.")?;
    fails(restore("x", &Value::from("garbage")).await, "DUMP payload version or checksum are wrong")?;
    eq(client.dump::<Value, _>("none").await?, Value::Null)
}
