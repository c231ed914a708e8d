//! Ranks that are threads of this process.

use std::sync::Arc;
use std::time::Duration;

use crate::border::{c_text, call, count, same_size, Handle};
use crate::collective::Collective;
use crate::error::{Error, Result};
use crate::sys;

/// The transport of ranks that are threads of this process, for machines with several sockets (NUMA nodes), where the threads of
/// each rank run on the cores of one.
///
/// ```
/// use std::time::Duration;
///
/// let ranks = mixgrpo::LocalRanks::new(2, Duration::from_secs(600))?;
/// let collective = ranks.collective(1)?; // for Trainer::set_collective, on the thread of rank 1
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalRanks {
    handle: Arc<Handle<sys::mixgrpo_local_ranks>>,
}

impl LocalRanks {
    /// Creates the transport of `ranks` threads, 1…1024. A call waits for the other ranks for `time_limit`; then it and all later
    /// calls of all ranks fail.
    pub fn new(ranks: usize, time_limit: Duration) -> Result<Self> {
        let (ranks, seconds) = (count(ranks, "count")?, time_limit.as_secs_f64());
        // SAFETY: the pointer is valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_local_ranks_create(ranks, seconds, out) })?;
        Ok(Self { handle: Arc::new(handle) })
    }

    /// The collective of a rank, for one trainer at a time.
    pub fn collective(&self, rank: usize) -> Result<LocalRank> {
        let (rank, mut raw) = (count(rank, "rank")?, sys::mixgrpo_collective::sized());
        // SAFETY: the struct is valid during the call.
        call(|| unsafe { sys::mixgrpo_local_ranks_get_collective(self.handle.get(), rank, &mut raw) })?;
        Ok(LocalRank { raw, _ranks: self.clone() })
    }

    /// Ends the current and all later calls of all ranks with an error that gives the reason, because a rank makes no more calls.
    pub fn abandon(&self, reason: &str) -> Result<()> {
        let reason = c_text(reason, "reason")?;
        // SAFETY: the text is valid during the call.
        call(|| unsafe { sys::mixgrpo_local_ranks_abandon(self.handle.get(), reason.as_ptr()) })
    }
}

/// One rank of [`LocalRanks`].
#[derive(Debug)]
pub struct LocalRank {
    raw: sys::mixgrpo_collective,
    // The callbacks need it.
    _ranks: LocalRanks,
}

// SAFETY: the struct is not changed; its `user_data` is an id that any thread may pass to its callbacks.
unsafe impl Send for LocalRank {}
// SAFETY: as above.
unsafe impl Sync for LocalRank {}

impl Collective for LocalRank {
    fn rank(&self) -> usize {
        self.raw.rank as usize
    }

    fn size(&self) -> usize {
        self.raw.size as usize
    }

    fn all_gather(&self, sent: &[u8], received: &mut [u8]) -> Result<()> {
        same_size("received", self.size().saturating_mul(sent.len()), received.len())?;
        let gather = self.raw.all_gather.ok_or_else(missing)?;
        // SAFETY: the buffers are valid during the call, and of these sizes.
        call(|| unsafe { gather(self.raw.user_data, sent.as_ptr().cast(), received.as_mut_ptr().cast(), sent.len()) })
    }

    fn all_to_all(
        &self, sent: &[u8], sent_bytes: &[usize], received: &mut [u8], received_bytes: &[usize],
    ) -> Result<()> {
        same_size("sent_bytes", self.size(), sent_bytes.len())?;
        same_size("received_bytes", self.size(), received_bytes.len())?;
        same_size("sent", sum(sent_bytes), sent.len())?;
        same_size("received", sum(received_bytes), received.len())?;
        let scatter = self.raw.all_to_all.ok_or_else(missing)?;
        let (data, sizes, other_sizes) = (self.raw.user_data, sent_bytes.as_ptr(), received_bytes.as_ptr());
        // SAFETY: the buffers are valid during the call, and of these sizes.
        call(|| unsafe { scatter(data, sent.as_ptr().cast(), sizes, received.as_mut_ptr().cast(), other_sizes) })
    }

    fn native(&self) -> Option<sys::mixgrpo_collective> {
        Some(self.raw)
    }
}

/// The sum, or the largest number there is.
fn sum(sizes: &[usize]) -> usize {
    sizes.iter().fold(0, |sum: usize, size| sum.saturating_add(*size))
}

fn missing() -> Error {
    Error::invalid("collective: expected callbacks, got none")
}
