//! Ranks: processes or threads that train one model together.

use std::ffi::c_void;
use std::sync::Arc;

use crate::context::Shared;
use crate::error::{Error, Result};
use crate::panics::contain;
use crate::sys;

/// How a rank exchanges bytes with the others, for [`Trainer::set_collective`](crate::Trainer::set_collective) and
/// [`HostTrainer::set_collective`](crate::HostTrainer::set_collective), which calls `all_gather` alone.
///
/// Methods run on the thread that called the trainer, and return when all ranks have made the call. When a rank is lost, they must
/// fail on the others. An error or a panic undoes the work of all ranks.
pub trait Collective: Send + Sync {
    /// This rank, 0…size − 1.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Gives every rank what each has sent: `received` is (size, `sent.len()`), in the order of the ranks.
    fn all_gather(&self, sent: &[u8], received: &mut [u8]) -> Result<()>;

    /// Gives each rank its piece of `sent` and receives one from each; the pieces stand one behind the other, in the order of the
    /// ranks, with these numbers of bytes.
    fn all_to_all(
        &self, sent: &[u8], sent_bytes: &[usize], received: &mut [u8], received_bytes: &[usize],
    ) -> Result<()>;

    /// What the library has itself, for C.
    #[doc(hidden)]
    fn native(&self) -> Option<sys::mixgrpo_collective> {
        None
    }
}

/// What the callbacks of C receive.
pub(crate) struct Exchange {
    collective: Box<dyn Collective>,
    context: Arc<Shared>,
    // As they were at first: the lengths of buffers must not depend on code that may answer otherwise later.
    rank: usize,
    size: usize,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rank, size) = (self.collective.rank(), self.collective.size());
        formatter.debug_struct("Collective").field("rank", &rank).field("size", &size).finish()
    }
}

impl Exchange {
    pub(crate) fn new(collective: Box<dyn Collective>, context: Arc<Shared>) -> Self {
        let (rank, size) = (collective.rank(), collective.size());
        Self { collective, context, rank, size }
    }

    pub(crate) fn rank(&self) -> (usize, usize) {
        (self.rank, self.size)
    }

    /// The struct for C, which keeps a pointer to `self`.
    pub(crate) fn to_raw(&self) -> Result<sys::mixgrpo_collective> {
        if let Some(native) = self.collective.native() {
            return Ok(native);
        }
        let number = |value: usize, name: &str| {
            i32::try_from(value).map_err(|_| Error::invalid(format!("{name}: expected at most 1000000, got {value}")))
        };
        Ok(sys::mixgrpo_collective {
            struct_size: size_of::<sys::mixgrpo_collective>() as u32,
            rank: number(self.rank, "rank")?,
            size: number(self.size, "size")?,
            reserved: 0,
            user_data: std::ptr::from_ref(self).cast_mut().cast::<c_void>(),
            all_gather: Some(all_gather),
            all_to_all: Some(all_to_all),
        })
    }

    /// 0 when the exchange succeeds.
    fn run(&self, exchange: impl FnOnce(&dyn Collective) -> Result<()>) -> i32 {
        let mut status = 1;
        contain(|| Arc::clone(&self.context), || status = i32::from(exchange(&*self.collective).is_err()));
        status
    }
}

unsafe extern "C" fn all_gather(data: *mut c_void, sent: *const c_void, received: *mut c_void, bytes: usize) -> i32 {
    // SAFETY: the trainer keeps the exchange; the library passes buffers of these sizes.
    let (exchange, sent, received) = unsafe {
        let exchange = &*data.cast::<Exchange>();
        let whole = bytes * exchange.size;
        (exchange, bytes_at(sent, bytes), bytes_at_mut(received, whole))
    };
    exchange.run(|collective| collective.all_gather(sent, received))
}

unsafe extern "C" fn all_to_all(
    data: *mut c_void, sent: *const c_void, sent_bytes: *const usize, received: *mut c_void,
    received_bytes: *const usize,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        let exchange = &*data.cast::<Exchange>();
        let size = exchange.size;
        let sent_bytes = std::slice::from_raw_parts(sent_bytes, size);
        let received_bytes = std::slice::from_raw_parts(received_bytes, size);
        let sent = bytes_at(sent, sent_bytes.iter().sum());
        let received = bytes_at_mut(received, received_bytes.iter().sum());
        exchange.run(|collective| collective.all_to_all(sent, sent_bytes, received, received_bytes))
    }
}

unsafe fn bytes_at<'a>(pointer: *const c_void, count: usize) -> &'a [u8] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), count) }
}

unsafe fn bytes_at_mut<'a>(pointer: *mut c_void, count: usize) -> &'a mut [u8] {
    if count == 0 {
        return &mut [];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast::<u8>(), count) }
}
