//! The limits on waiting: silence, and who waits.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use super::state::{SLOWEST, SLOWEST_SHORT};
use super::*;

/// How much the system holds of what comes and of what goes, on a line with this round trip.
fn holds(round_trip: Duration, bytes: u64) -> (usize, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = Line::open(Ending::default(), First::ByBuffers).unwrap();
    line.state().window.meet(round_trip);
    let socket = line.connect_for_data(listener.local_addr().unwrap(), Load::of(bytes)).unwrap();
    let socket = SockRef::from(&socket);
    let sizes = (socket.recv_buffer_size().unwrap(), socket.send_buffer_size().unwrap());
    line.close();
    sizes
}

#[test]
fn silence_is_borne_for_half_a_minute_and_for_as_long_as_what_is_under_way_needs() {
    let line = Line::open(Ending::default(), First::ByBuffers).unwrap();
    assert_eq!(line.state().patience(), SILENCE);
    line.sent(60_000);
    let of_short = SILENCE + Duration::from_secs(60_000 / SLOWEST_SHORT);
    assert_eq!(line.state().patience(), of_short, "no speed is known");
    line.answered();
    line.state().window.meet(Duration::from_millis(300));
    for _ in 0..50 {
        line.sent(60_000);
    }
    let most = 2 * line.window() as u64;
    assert_eq!(line.state().patience(), SILENCE + Duration::from_secs(most / SLOWEST), "no more can be under way");
    line.answered();
    line.state().window.meet(Duration::ZERO);
    line.sent(60_000);
    {
        let mut state = line.state();
        state.moved = 4_000_000;
        state.began = Instant::now().checked_sub(Duration::from_secs(100));
    }
    assert!((1..3).contains(&(line.state().patience() - SILENCE).as_secs()), "by the speed that was measured");
    line.answered();
    assert_eq!(line.state().patience(), SILENCE);
    line.close();
}

#[test]
fn a_line_is_silent_for_as_long_as_anybody_waits_and_for_nobody_else() {
    let line = Line::open(Ending::default(), First::ByBuffers).unwrap();
    let grow_silent = || line.state().since = Instant::now().checked_sub(2 * SILENCE).unwrap();
    // They need not end in the order in which they began.
    let (first, second) = (line.wait(), line.wait());
    drop(first);
    line.0.state.lock().unwrap().closed = true;
    grow_silent();
    assert!(line.state().is_silent());
    drop(second);
    grow_silent();
    assert!(!line.state().is_silent());
    line.close();
}

/// What is on its way when a slow line breaks is lost with it, each way and each time: twice that and what TCP sends again are
/// to be less than 8 kB. The system counts each packet about double.
#[test]
fn over_a_line_that_may_be_slow_little_is_under_way_unless_much_comes() {
    let (short, long) = (Duration::from_millis(2), Duration::from_millis(300));
    let (incoming, outgoing) = holds(long, 200_000);
    assert!(incoming < 12_000 && outgoing < 8_000, "{incoming}, {outgoing}");
    assert!(holds(long, 50_000_000).0 > 60_000);
    assert!(holds(short, 200_000).0 > 60_000);
}

/// What is said over a dead line is lost: a server is told that a connection broke off only over one that stands.
#[test]
fn a_connection_that_broke_off_is_reset_once_there_is_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ending = Ending::default();
    let [broken, next] = [(), ()].map(|()| Line::open(ending.clone(), First::ByBuffers).unwrap());
    drop(broken.connect("127.0.0.1", port).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    broken.fail();
    broken.close();
    // Without what lies in between this would be a reset already.
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    server.write_all(b"?").unwrap();
    drop(next.connect("127.0.0.1", port).unwrap());
    let told = (0..1_000).find_map(|_| {
        thread::sleep(Duration::from_millis(5));
        server.write_all(b"?").err()
    });
    let kind = told.expect("it is told").kind();
    assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
    next.close();
}

/// What would be acknowledged by whom has given up a server sends in vain.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_sends_over_a_line_that_went_silent_is_not_listened_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let patience_of = |begin: &dyn Fn(&Line)| {
        let line = Line::open(Ending::default(), First::ByBuffers).unwrap();
        let socket = line.connect("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        begin(&line);
        line.state().shut(Cut::Silent);
        line.close();
        SockRef::from(&socket).tcp_user_timeout().unwrap()
    };
    let given_up = Some(Duration::from_millis(1));
    assert_eq!(patience_of(&Line::begin_fetching), given_up);
    assert_eq!(patience_of(&Line::begin), None, "what is sent a server may keep locked until it is told");
    let both_ways = |line: &Line| {
        let _beside = line.beside();
        line.begin_fetching();
        line.begin();
    };
    assert_eq!(patience_of(&both_ways), given_up, "what comes still does when something goes too");
    let in_turn = |line: &Line| {
        line.begin_fetching();
        line.begin();
    };
    assert_eq!(patience_of(&in_turn), None);
}
