//! Threads, log, progress, cancel.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::border::{self, Handle};
use crate::enums::LogLevel;
use crate::error::Result;
use crate::mirror::{Mirror, MirrorStruct};
use crate::panics::{self, Stoppable};
use crate::structs::Progress;
use crate::sys;

type LogReceiver = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;
type ProgressReceiver = Arc<dyn Fn(Progress) + Send + Sync>;

/// Worker threads, receivers of log lines and progress, and cancellation.
///
/// A clone is the same context; what is created with a context keeps it alive. Results do not depend on the number of
/// threads, to the last bit.
///
/// Receivers run on the thread that called the library. A panic in a receiver ends the running call as [`cancel`] does and
/// is resumed when the call returns, with all objects as before the call.
///
/// ```
/// let context = mixgrpo::Context::new(2)?;
/// context.set_log(|level, line| eprintln!("{level:?}: {line}"));
/// assert_eq!(context.threads(), 2);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
///
/// [`cancel`]: Context::cancel
#[derive(Clone)]
pub struct Context {
    pub(crate) shared: Arc<Shared>,
}

/// What all clones share, and the user data of the callbacks.
pub(crate) struct Shared {
    handle: Handle<sys::mixgrpo_context>,
    log: RwLock<Option<LogReceiver>>,
    progress: RwLock<Option<ProgressReceiver>>,
    /// Whether the host, and not a panic, cancelled.
    cancelled_by_host: AtomicBool,
}

impl Context {
    /// Creates a context. `threads`: worker threads, 1…1024, or 0 for one per core that this process may use (CPU
    /// affinity and the control group's CPU quota, rounded down, at least 1).
    ///
    /// # Errors
    /// `Unsupported` when the processor lacks the instructions that the library was built for (on x86-64: AVX2 and FMA, or
    /// AVX-512).
    pub fn new(threads: i32) -> Result<Self> {
        // SAFETY: the output is valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_context_create(threads, out) })?;
        let shared = Arc::new(Shared {
            handle,
            log: RwLock::default(),
            progress: RwLock::default(),
            cancelled_by_host: AtomicBool::new(false),
        });
        let (raw, data) = (shared.handle.get(), Arc::as_ptr(&shared).cast_mut().cast::<c_void>());
        // SAFETY: `shared` lives as long as the context and all that was created with it, which hold clones of it.
        border::call(|| unsafe { sys::mixgrpo_context_set_log(raw, Some(receive_log), data) })?;
        // SAFETY: as above.
        border::call(|| unsafe { sys::mixgrpo_context_set_progress(raw, Some(receive_progress), data) })?;
        Ok(Self { shared })
    }

    /// The number of worker threads in use.
    pub fn threads(&self) -> i32 {
        // SAFETY: the handle is alive.
        unsafe { sys::mixgrpo_context_threads(self.raw()) }
    }

    /// Sets the receiver of log lines; it replaces the previous one. The library prints nothing by itself.
    pub fn set_log(&self, receiver: impl Fn(LogLevel, &str) + Send + Sync + 'static) {
        replace(&self.shared.log, Some(Arc::new(receiver)));
    }

    /// Sets the receiver of progress; it replaces the previous one.
    pub fn set_progress(&self, receiver: impl Fn(Progress) + Send + Sync + 'static) {
        replace(&self.shared.progress, Some(Arc::new(receiver)));
    }

    /// Removes both receivers.
    pub fn silence(&self) {
        replace(&self.shared.log, None);
        replace(&self.shared.progress, None);
    }

    /// Stops rollouts, updates and sampling of this context within one model call: they fail as `Cancelled`, with their
    /// objects as before the call. Calls that begin later stop too, until [`reset_cancel`](Self::reset_cancel). From any
    /// thread at any time, also from a signal handler.
    pub fn cancel(&self) {
        self.shared.cancelled_by_host.store(true, Ordering::SeqCst);
        self.shared.cancel();
    }

    /// Allows work again after a cancel. From any thread.
    pub fn reset_cancel(&self) {
        self.shared.cancelled_by_host.store(false, Ordering::SeqCst);
        self.shared.reset_cancel();
    }

    /// Whether the context is cancelled.
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::mixgrpo_context_is_cancelled(self.raw()) != 0 }
    }

    pub(crate) fn raw(&self) -> *const sys::mixgrpo_context {
        self.shared.handle.get()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

impl Stoppable for Shared {
    fn stop_call(&self) {
        self.cancel();
    }

    fn let_calls_begin(&self) {
        if self.cancelled_by_host.load(Ordering::SeqCst) {
            return;
        }
        self.reset_cancel();
        if self.cancelled_by_host.load(Ordering::SeqCst) {
            self.cancel();
        }
    }
}

impl Shared {
    // Neither of the two can fail with a live handle.

    fn cancel(&self) {
        // SAFETY: the handle is alive; the call is allowed from any thread, signal handlers included.
        unsafe { sys::mixgrpo_context_cancel(self.handle.get()) };
    }

    fn reset_cancel(&self) {
        // SAFETY: the handle is alive; the call is allowed from any thread.
        unsafe { sys::mixgrpo_context_reset_cancel(self.handle.get()) };
    }
}

fn replace<T: ?Sized>(place: &RwLock<Option<Arc<T>>>, receiver: Option<Arc<T>>) {
    let before = std::mem::replace(&mut *place.write().unwrap_or_else(PoisonError::into_inner), receiver);
    drop(before); // after the lock is released: its drop may do anything
}

/// The receiver is called outside the lock, so that it may replace itself.
fn current<T: ?Sized>(place: &RwLock<Option<Arc<T>>>) -> Option<Arc<T>> {
    place.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// # Safety
/// `data` is the pointer to a `Shared` in a living `Arc`.
unsafe fn owner(data: *mut c_void) -> Arc<Shared> {
    let shared = data.cast_const().cast::<Shared>();
    // SAFETY: as promised by the caller; the count that the returned `Arc` will take back is added here.
    unsafe {
        Arc::increment_strong_count(shared);
        Arc::from_raw(shared)
    }
}

unsafe extern "C" fn receive_log(data: *mut c_void, level: sys::mixgrpo_log_level, message: *const c_char) {
    // SAFETY: the data is what was given to `mixgrpo_context_set_log`.
    let context = || unsafe { owner(data) };
    panics::contain(context, || {
        if let (Some(receiver), Ok(level)) = (current(&context().log), LogLevel::from_raw(level, "level")) {
            // SAFETY: the message is valid during this call.
            receiver(level, &unsafe { border::text(message) });
        }
    });
}

unsafe extern "C" fn receive_progress(data: *mut c_void, progress: *const sys::mixgrpo_progress) {
    // SAFETY: the data is what was given to `mixgrpo_context_set_progress`.
    let context = || unsafe { owner(data) };
    panics::contain(context, || {
        // SAFETY: NULL, or valid during this call.
        let (Some(receiver), Some(report)) = (current(&context().progress), (unsafe { progress.as_ref() })) else {
            return;
        };
        if let Ok(progress) = Progress::from_raw(report) {
            receiver(progress);
        }
    });
}
