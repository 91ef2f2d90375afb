use super::*;
use crate::keyspace::DbIndex;

fn topic(key: &'static str) -> Topic {
    Topic::new(DbIndex(0), &Bytes::from_static(key.as_bytes()))
}

fn join(waiters: &Arc<Waiters>, keys: &[&'static str], line: Option<&'static str>) -> Place {
    waiters.join(keys.iter().map(|key| topic(key)), line.map(Bytes::from))
}

/// The first attempt of whoever has just come, in vain.
fn try_in_vain(place: &Place) {
    assert!(place.is_called());
    place.begin();
    place.found_nothing();
}

#[test]
fn one_signal_calls_all_readers() {
    let waiters = Arc::new(Waiters::default());
    let places = [["a", "b"], ["b", "c"], ["c", "d"]].map(|keys| join(&waiters, &keys, None));
    places.iter().for_each(try_in_vain);
    waiters.signal([&topic("b"), &topic("x")]);
    assert_eq!(places.each_ref().map(Place::is_called), [true, true, false]);
    assert_eq!(waiters.topics().len(), 4);
    drop(places);
    assert!(waiters.is_empty());
}

#[test]
fn a_line_goes_one_by_one() {
    let waiters = Arc::new(Waiters::default());
    let first = join(&waiters, &["a"], Some("g"));
    try_in_vain(&first);
    let [second, third] = [(); 2].map(|()| join(&waiters, &["a"], Some("g")));
    assert_eq!([&first, &second, &third].map(|place| place.is_behind), [false, true, true]);
    assert_eq!([&first, &second, &third].map(Place::is_called), [false; 3]);
    waiters.signal([&topic("a")]);
    assert_eq!([&first, &second, &third].map(Place::is_called), [true, false, false]);
    first.begin();
    // Served: the next one looks for more.
    drop(first);
    assert_eq!([&second, &third].map(Place::is_called), [true, false]);
    try_in_vain(&second);
    assert_eq!([&second, &third].map(Place::is_called), [false, false]);
    // Another group does not wait for this one.
    let other = join(&waiters, &["a"], Some("h"));
    try_in_vain(&other);
    waiters.signal([&topic("a")]);
    assert_eq!([&second, &third, &other].map(Place::is_called), [true, false, true]);
    // Gone without an attempt.
    drop(second);
    assert!(third.is_called());
}

#[test]
fn first_attempts_are_made_side_by_side() {
    let waiters = Arc::new(Waiters::default());
    let [first, second, third] = [(); 3].map(|()| join(&waiters, &["a"], Some("g")));
    assert_eq!([&first, &second, &third].map(|place| place.is_behind), [false; 3]);
    [&first, &second, &third].into_iter().for_each(Place::begin);
    // Found something.
    drop(first);
    third.found_nothing();
    waiters.signal([&topic("a")]);
    // Third waits, and is called; second, who came before it, has not looked since the signal.
    assert_eq!([&second, &third].map(Place::is_called), [false, true]);
    second.found_nothing();
    assert!(!second.is_called());
    try_in_vain(&third);
    assert!(!second.is_called());
    waiters.signal([&topic("a")]);
    assert_eq!([&second, &third].map(Place::is_called), [true, false]);
    drop(second);
    assert!(third.is_called());
}

#[test]
fn while_there_is_enough_more_and_more_are_called_together() {
    let waiters = Arc::new(Waiters::default());
    let first = join(&waiters, &["a"], Some("g"));
    try_in_vain(&first);
    let mut line: Vec<Place> =
        std::iter::once(first).chain((0..99).map(|_| join(&waiters, &["a"], Some("g")))).collect();
    let called = |line: &[Place]| line.iter().take_while(|place| place.is_called()).count();
    waiters.signal([&topic("a")]);
    for together in [1, 1, 2, 4, 8, 16, 16] {
        assert_eq!(called(&line), together);
        line.drain(..together).for_each(|place| place.call.has_found(true));
    }
    // The third of them finds nothing, nor do those behind it, even if there is something when they look.
    assert_eq!(called(&line), 16);
    line.iter().take(16).for_each(Place::begin);
    line.drain(..2).for_each(|place| place.call.has_found(true));
    assert!(line[0].call.is_due());
    line[0].call.has_found(false);
    assert!(!line[1].call.is_due());
    line.iter().take(14).for_each(Place::found_nothing);
    // For one has left, and it is not known why.
    assert_eq!(called(&line), 1);
    try_in_vain(&line[0]);
    assert_eq!(called(&line), 0);
    waiters.signal([&topic("a")]);
    assert_eq!(called(&line), 1);
}

#[test]
fn who_waits_in_several_lines_is_called_alone() {
    let waiters = Arc::new(Waiters::default());
    let first = join(&waiters, &["a"], Some("g"));
    try_in_vain(&first);
    let mut line = vec![first];
    line.extend((0..4).map(|_| join(&waiters, &["a"], Some("g"))));
    let other = join(&waiters, &["b"], Some("g"));
    try_in_vain(&other);
    let both = join(&waiters, &["a", "b"], Some("g"));
    let last = join(&waiters, &["a"], Some("g"));
    waiters.signal([&topic("a")]);
    for together in [1, 1, 2] {
        assert!(line[..together].iter().all(Place::is_called));
        line.drain(..together);
    }
    assert!(line[0].is_called() && !both.is_called());
    drop(line);
    assert!(both.is_called() && both.call.is_due() && !last.is_called());
    drop(both);
    assert!(last.is_called());
}

#[test]
fn a_signal_during_an_attempt_is_not_lost() {
    let waiters = Arc::new(Waiters::default());
    for line in [None, Some("g")] {
        let place = join(&waiters, &["a"], line);
        place.begin();
        waiters.signal([&topic("a")]);
        place.found_nothing();
        assert!(place.is_called(), "the first attempt");
        place.begin();
        waiters.signal([&topic("a")]);
        place.found_nothing();
        assert!(place.is_called(), "a later attempt");
        try_in_vain(&place);
        assert!(!place.is_called());
    }
}

#[test]
fn what_one_leaves_is_for_the_next() {
    let waiters = Arc::new(Waiters::default());
    let first = join(&waiters, &["a"], Some("g"));
    try_in_vain(&first);
    let next = join(&waiters, &["a"], Some("g"));
    assert!(next.is_behind && !next.is_called());
    waiters.signal([&topic("a")]);
    first.begin();
    assert!(!next.is_called());
    drop(first);
    assert!(next.is_called());
    // First for one key, behind others for another.
    try_in_vain(&next);
    let both = join(&waiters, &["b", "a"], Some("g"));
    assert!(!both.is_behind);
    try_in_vain(&both);
    // Turns of several keys are given up together.
    waiters.signal([&topic("a"), &topic("b")]);
    drop(next);
    try_in_vain(&both);
    assert!(!both.is_called());
}
