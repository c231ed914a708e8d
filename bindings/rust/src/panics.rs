//! Panics of callbacks. They must not cross the C interface: they are caught, and resumed when the call has returned.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// An owner of running calls, which a panic ends.
pub(crate) trait Stoppable {
    /// Ends the running call because of a panic.
    fn stop_call(&self);
    /// Undoes this, unless the host has stopped calls meanwhile.
    fn let_calls_begin(&self);
}

/// A panic on its way through the C interface.
struct Caught {
    payload: Box<dyn Any + Send>,
    /// The context that was cancelled to end the call soon.
    stopped: Arc<dyn Stoppable>,
}

thread_local! {
    /// Callbacks run on the thread that called the library.
    static CAUGHT: RefCell<Option<Caught>> = const { RefCell::new(None) };
}

/// Runs a callback of `context`. If it panics, the running call is cancelled, and later callbacks are skipped.
pub(crate) fn contain<S: Stoppable + 'static>(context: impl Fn() -> Arc<S>, callback: impl FnOnce()) {
    if is_pending() {
        return;
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
        keep(payload, context());
    }
}

fn is_pending() -> bool {
    CAUGHT.try_with(|caught| caught.borrow().is_some()).unwrap_or(true)
}

fn keep(payload: Box<dyn Any + Send>, stopped: Arc<dyn Stoppable>) {
    stopped.stop_call();
    let caught = Caught { payload, stopped };
    // A thread that is ending cannot store it. It is not dropped either, since that could panic again.
    let _ = CAUGHT.try_with(|place| std::mem::forget(place.replace(Some(caught))));
}

/// Resumes a panic of the call that has just returned, and undoes the cancel that ended the call.
pub(crate) fn resume() {
    let caught = CAUGHT.try_with(|caught| caught.take()).ok().flatten();
    if let Some(Caught { payload, stopped }) = caught {
        stopped.let_calls_begin();
        drop(stopped);
        resume_unwind(payload);
    }
}
