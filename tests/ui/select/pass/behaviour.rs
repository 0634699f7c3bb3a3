#![allow(dead_code)]

use infinitic::prelude::*;

use std::future::{pending, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Says when it is dropped.
struct Loud<'a>(&'a std::cell::RefCell<Vec<&'static str>>, &'static str);

impl Drop for Loud<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

fn main() {
    // Arms are tried in the order written.
    let first = async { select! { x = ready(1) => x, y = ready(2) => y } };
    assert_eq!(poll_once(first), Poll::Ready(1));
    let second = async { select! { x = pending::<u8>() => x, y = ready(2) => y } };
    assert_eq!(poll_once(second), Poll::Ready(2));
    assert_eq!(poll_once(async { select! { x = pending::<u8>() => x } }), Poll::Pending);

    // All futures are gone before the handler runs.
    let log = std::cell::RefCell::new(Vec::new());
    let dropped = async {
        let (loser, winner) = (Loud(&log, "loser"), Loud(&log, "winner"));
        select! {
            _ = async move { let _kept = loser; pending::<()>().await } => {},
            _ = async move { let _kept = winner; } => log.borrow_mut().push("handler"),
        }
    };
    assert_eq!(poll_once(dropped), Poll::Ready(()));
    assert_eq!(log.borrow().last(), Some(&"handler"));
    assert_eq!(log.borrow().len(), 3);

    // A value that does not match closes its arm; `else` runs when all arms are closed.
    let refused = async {
        select! {
            Some(x) = ready(None::<u8>) => x,
            Ok(1) = ready(Err::<u8, u8>(1)) => 2,
            else => 9,
        }
    };
    assert_eq!(poll_once(refused), Poll::Ready(9));
    let waiting = async {
        select! { Some(x) = ready(None::<u8>) => x, x = pending() => x, else => 9 }
    };
    assert_eq!(poll_once(waiting), Poll::Pending);

    // `join!` waits for all.
    assert_eq!(poll_once(async { join!(ready(1), ready("two")) }), Poll::Ready((1, "two")));
    assert_eq!(poll_once(async { join!(ready(1), pending::<u8>()) }), Poll::Pending);
}
