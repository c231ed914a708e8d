//! What a rollout or an update asks the host for.

use crate::enums::Weights;
use crate::mirror::Mirror;
use crate::sys;

/// Latents for the host to evaluate: views of the library's memory, without a copy. They are valid until their request is
/// answered, and the borrow checker sees to it:
///
/// ```compile_fail
/// # fn f(rollout: &mut mixgrpo::Rollout, velocity: &[f32]) -> mixgrpo::Result<()> {
/// let request = rollout.next_request()?.unwrap();
/// let latents = request.latents();
/// request.submit(velocity)?;
/// println!("{}", latents[0]); // refused: no longer valid
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LatentBatch {
    raw: sys::mixgrpo_velocity_request,
}

// SAFETY: the arrays do not change while the batch exists: its request holds the rollout or update exclusively.
unsafe impl Send for LatentBatch {}
// SAFETY: as above.
unsafe impl Sync for LatentBatch {}

impl LatentBatch {
    /// `raw` is a request for an evaluation, whose arrays stay as they are for the life of this batch.
    pub(crate) fn new(raw: sys::mixgrpo_velocity_request) -> Self {
        Self { raw }
    }

    /// B, the number of latents.
    pub fn len(&self) -> usize {
        self.raw.count
    }

    /// Whether there are none; never true in a request.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// D, values in one latent.
    pub fn latent_size(&self) -> usize {
        self.raw.latent_size
    }

    /// Index of the update's minibatch, 0…updates_per_iteration − 1; 0 in a rollout.
    pub fn minibatch(&self) -> i32 {
        self.raw.minibatch
    }

    /// Whether the update also needs the velocity of the frozen reference, for the KL term.
    pub fn needs_reference(&self) -> bool {
        self.raw.needs_reference != 0
    }

    /// Whether ∂L/∂velocity must be backpropagated through the model.
    pub fn needs_gradient(&self) -> bool {
        self.raw.needs_gradient != 0
    }

    /// Which weights to evaluate: the trained ones, except for deterministic samples of a [`HostTrainer`](crate::HostTrainer).
    pub fn weights(&self) -> Weights {
        Weights::from_raw(self.raw.weights, "weights").unwrap_or(Weights::Trained)
    }

    /// Whether the update evaluates these latents (again). A host whose rounding depends on the size of a batch gives all of
    /// these one size.
    pub fn is_trained(&self) -> bool {
        self.raw.is_trained != 0
    }

    /// The latents, (B, D).
    pub fn latents(&self) -> &[f32] {
        self.view(self.raw.latents, self.len() * self.latent_size())
    }

    /// Latent `index`, (D).
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn latent(&self, index: usize) -> &[f32] {
        assert!(index < self.len(), "latent: expected an index below {}, got {index}", self.len());
        &self.latents()[index * self.latent_size()..][..self.latent_size()]
    }

    /// (B), the noise level of each latent.
    pub fn sigmas(&self) -> &[f32] {
        self.view(self.raw.sigmas, self.len())
    }

    /// (B), the prompt ids given to the rollout, or the trainer's prompt indices.
    pub fn prompt_index(&self) -> &[i32] {
        self.view(self.raw.prompt_index, self.len())
    }

    /// (B), the first sample (place of its prompt · G + member) that the latent stands for; several members share a latent
    /// while they are equal.
    pub fn sample(&self) -> &[i32] {
        self.view(self.raw.sample, self.len())
    }

    /// (B), the step in the iteration's plan; the same for all in a rollout.
    pub fn step(&self) -> &[i32] {
        self.view(self.raw.step, self.len())
    }

    fn view<T>(&self, pointer: *const T, count: usize) -> &[T] {
        if pointer.is_null() {
            return &[];
        }
        // SAFETY: arrays of a request have the sizes that the header gives, and stay while the batch exists.
        unsafe { std::slice::from_raw_parts(pointer, count) }
    }
}
