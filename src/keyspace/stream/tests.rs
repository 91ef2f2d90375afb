use super::*;

fn fields() -> Fields {
    Fields::new(&["f", "1"].map(Bytes::from))
}

fn id(seq: u64) -> StreamId {
    StreamId::new(1, seq)
}

/// A stream with this many entries in the tables, and those.
fn stored(count: u64) -> (Stream, Vec<Place>) {
    let mut made = Stream::new();
    (1..=count).for_each(|seq| made.append(id(seq), &fields()));
    let places = made.appended.iter().map(|entry| entry.place).collect();
    (Stream::loaded(7, made.state), places)
}

/// Runs until everything needed is loaded from `places`.
fn run<T>(stream: &mut Stream, places: &[Place], apply: impl Fn(&mut Stream) -> Result<T, NotLoaded>) -> T {
    for _ in 0..10 {
        if let Ok(done) = apply(stream) {
            return done;
        }
        let missing = stream.missing().to_vec();
        assert!(!missing.is_empty());
        stream.rewind();
        for part in missing {
            let found: Vec<Place> = match &part {
                Part::Head(size) => places.iter().take(*size).copied().collect(),
                Part::Tail(size) => places.iter().rev().take(*size).copied().collect(),
                Part::From(n) => places.iter().skip(*n as usize).take(5).copied().collect(),
                Part::Present(ids) => places.iter().filter(|p| ids.contains(&p.id)).copied().collect(),
                Part::Below(id) => {
                    stream.put_count(*id, places.iter().filter(|place| place.id < *id).count() as u64);
                    Vec::new()
                }
            };
            stream.put_part(&part, found);
        }
    }
    panic!("always something else is missing");
}

#[test]
fn exact_trims() {
    for (count, keep) in [(10, 4), (1000, 10), (40_000, 5)] {
        let (mut stream, places) = stored(count);
        let removed = run(&mut stream, &places, |stream| {
            stream.append(id(count + 1), &fields());
            assert_eq!(stream.delete(&[id(2), id(count - 1), id(count + 9)])?, 2);
            stream.trim(Trim::Length(keep))?;
            stream.append(id(count + 2), &fields());
            stream.trim(Trim::Length(keep))
        });
        assert_eq!((removed, stream.state.length as u64), (1, keep));
        // Without the deleted one, the last ones.
        assert_eq!(stream.state.first_id, id(count + 2 - keep), "{count}");
        assert_eq!(stream.trimmed, count - keep);
    }
}

#[test]
fn trims_by_id() {
    for (count, least) in [(10, 4), (1000, 900), (1000, 5000)] {
        let (mut stream, places) = stored(count);
        let removed = run(&mut stream, &places, |stream| {
            stream.delete(&[id(2)])?;
            stream.trim(Trim::Id(id(least)))
        });
        assert_eq!(removed, (least - 1).min(count) - 1);
        assert_eq!(stream.state.length as u64, count - 1 - removed);
    }
}

#[test]
fn whole_nodes() {
    let (mut stream, places) = stored(250);
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Length(151), None)), 0);
    stream.rewind();
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Length(150), None)), 100);
    stream.rewind();
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Length(0), Some(150))), 100);
    stream.rewind();
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Length(0), None)), 250);
    assert_eq!(stream.state.node.live, 0);
    stream.rewind();
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Id(id(101)), None)), 100);
    let (mut stream, places) = stored(5000);
    assert_eq!(run(&mut stream, &places, |stream| stream.trim_nodes(Trim::Length(10), None)), 4900);
    assert_eq!(stream.state.first_id, id(4901));
}

/// What comes after is above the last id, and may be below the one that was trimmed by.
#[test]
fn trimming_beyond_the_last_id_ends_behind_it() {
    let (mut stream, places) = stored(5);
    assert_eq!(run(&mut stream, &places, |stream| stream.trim(Trim::Id(id(100)))), 5);
    assert_eq!(Some(stream.state.first_id), id(5).next());
}

#[test]
fn the_top() {
    let (mut stream, places) = stored(5);
    let top = run(&mut stream, &places, |stream| {
        stream.delete(&[id(5), id(4)])?;
        stream.top()
    });
    assert_eq!(top, Some(id(3)));
    assert_eq!(Stream::new().top(), Ok(None));
}

#[test]
fn who_waits_hears_of_entries_and_of_the_end_of_a_group() {
    let mut stream = Stream::new();
    let (one, other) = (Bytes::from("g"), Bytes::from("h"));
    assert_eq!(stream.create_group(&one, id(0), None), Ok(true));
    assert!(!stream.may_serve());
    assert_eq!(stream.destroy_group(&other), Ok(false));
    assert!(!stream.may_serve());
    // Somebody may have come in between, in the same batch.
    assert_eq!(stream.destroy_group(&one), Ok(true));
    assert!(stream.may_serve());
    stream.rewind();
    assert!(!stream.may_serve());
    stream.append(id(1), &fields());
    assert!(stream.may_serve());
}
