//! Work on all cores, whose results come in the order of what was to be done: side by side or one by one, what comes out is
//! the same.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Items for each thread that are done, under way or waiting at one time: enough that none waits for another's slow item.
const AHEAD: usize = 8;

/// As many threads as this process may use cores.
#[must_use]
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Does `work` on each item, and hands each result to `take`, in the order of the items, until that has enough.
pub fn in_order<T: Send, R: Send>(
    threads: NonZeroUsize,
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> bool,
) {
    let mut items = items.into_iter();
    if threads.get() == 1 {
        while items.next().is_some_and(|item| take(work(item))) {}
        return;
    }
    let (to_do, waiting) = channel();
    let (done, results) = channel();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            let (waiting, work, done) = (&waiting, &work, done.clone());
            scope.spawn(move || each(waiting, work, &done));
        }
        collect(
            threads.get() * AHEAD,
            (to_do, &mut items),
            &results,
            &mut take,
        );
        // The queue is gone with `to_do`: every thread ends. What was done ahead and nobody takes is dropped.
    });
}

/// A result, or the panic in its place.
type Done<R> = (usize, Result<R, Box<dyn Any + Send>>);

/// Works until there is no more.
fn each<T, R>(
    waiting: &Mutex<Receiver<(usize, T)>>,
    work: impl Fn(T) -> R,
    done: &Sender<Done<R>>,
) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((n, item)) = next else { return };
        // Nothing is used of what a panic may have left half done: it goes on where the results are taken.
        let result = catch_unwind(AssertUnwindSafe(|| work(item)));
        if done.send((n, result)).is_err() {
            return;
        }
    }
}

/// Keeps `ahead` items on their way, and takes what comes of them in order.
fn collect<T, R>(
    ahead: usize,
    (to_do, items): (Sender<(usize, T)>, &mut dyn Iterator<Item = T>),
    results: &Receiver<Done<R>>,
    take: &mut dyn FnMut(R) -> bool,
) {
    let (mut given, mut taken) = (0, 0);
    let mut early = BTreeMap::new();
    let mut more = true;
    loop {
        while more && given < taken + ahead {
            let sent = items.next().map(|item| to_do.send((given, item)));
            match sent {
                Some(Ok(())) => given += 1,
                Some(Err(_)) | None => more = false,
            }
        }
        if taken == given {
            return;
        }
        let Ok((n, result)) = results.recv() else {
            return;
        };
        early.insert(n, result);
        while let Some(result) = early.remove(&taken) {
            taken += 1;
            match result.map(&mut *take) {
                Ok(true) => {}
                Ok(false) => return,
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, enough: usize) -> Vec<u64> {
        let mut out = Vec::new();
        in_order(
            NonZeroUsize::new(threads).unwrap(),
            0..1_000_u64,
            |n| n * n,
            |square| {
                out.push(square);
                out.len() < enough
            },
        );
        out
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        let all: Vec<u64> = (0..1_000).map(|n| n * n).collect();
        for threads in [1, 2, 7] {
            assert_eq!(squares(threads, usize::MAX), all);
            assert_eq!(squares(threads, 10), all[..10]);
        }
    }

    #[test]
    fn a_panic_of_the_work_is_the_callers() {
        let work = |n: u64| assert!(n != 50, "the fiftieth");
        let two = NonZeroUsize::new(2).unwrap();
        let all = || in_order(two, 0..100, work, |()| true);
        assert!(catch_unwind(all).is_err());
    }
}
