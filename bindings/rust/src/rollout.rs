//! Sample groups of images: the sampling of one iteration as a state machine that asks for velocities.

use std::ops::Deref;

use crate::border::{self, buffer, optional, product, Handle};
use crate::configurations::RolloutConfig;
use crate::context::Context;
use crate::error::Result;
use crate::evaluator::Evaluator;
use crate::mirror::MirrorStruct;
use crate::plan::Plan;
use crate::prompts::Prompts;
use crate::request::LatentBatch;
use crate::sys;

/// The sampling of one iteration, all P prompts and G members in flight together. Any model may answer:
///
/// ```
/// use mixgrpo::{Context, Plan, Rollout, RolloutConfig, SamplingConfig};
///
/// let plan = Plan::new(&SamplingConfig { steps: 6, group_size: 4, ..SamplingConfig::default() })?;
/// let config = RolloutConfig { latent_size: 3, ..RolloutConfig::default() };
/// let mut rollout = Rollout::new(&Context::new(1)?, &plan, &config, &[0, 1])?;
/// while let Some(request) = rollout.next_request()? {
///     let velocity: Vec<f32> = request.latents().iter().map(|x| 0.5 * x).collect(); // the host's own model
///     request.submit(&velocity)?;
/// }
/// assert_eq!(rollout.samples()?.len(), 2 * 4 * 3); // (P, G, D)
/// # Ok::<(), mixgrpo::Error>(())
/// ```
///
/// [`run`](Self::run) answers with the built-in model.
#[derive(Debug)]
pub struct Rollout {
    handle: Handle<sys::mixgrpo_rollout>,
    prompt_count: usize,
    group_size: usize,
    latent_size: usize,
    context: Context,
}

/// Latents that a rollout asks the host to evaluate. A request that is dropped without an answer is given again.
#[derive(Debug)]
pub struct RolloutRequest<'a> {
    rollout: &'a mut Rollout,
    batch: LatentBatch,
}

/// What a rollout stores of one trained step.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredStep {
    /// The latents before the step, (P, G, D).
    pub latents: Vec<f32>,
    /// The latents after the step, (P, G, D).
    pub next_latents: Vec<f32>,
    /// The log-probabilities of the transitions, (P, G), in nats, reduced as set.
    pub log_probabilities: Vec<f64>,
}

impl Rollout {
    /// Begins the rollout of one iteration, from noise that the library draws.
    ///
    /// `prompt_ids`: (P), distinct, each 0 or more: host-defined prompt ids, returned in each request as `prompt_index`. They
    /// key the random numbers, so processes may share the prompts of an iteration.
    pub fn new(context: &Context, plan: &Plan, config: &RolloutConfig, prompt_ids: &[i32]) -> Result<Self> {
        Self::create(context, plan, config, prompt_ids, None)
    }

    /// Begins the rollout from the host's own noise: (P, D), one for each group, or (P, G, D).
    pub fn with_noise(
        context: &Context, plan: &Plan, config: &RolloutConfig, prompt_ids: &[i32], initial_noise: &[f32],
    ) -> Result<Self> {
        Self::create(context, plan, config, prompt_ids, Some(initial_noise))
    }

    fn create(
        context: &Context, plan: &Plan, config: &RolloutConfig, prompt_ids: &[i32], initial_noise: Option<&[f32]>,
    ) -> Result<Self> {
        let (raw, (noise, noise_count)) = (config.to_raw(), optional(initial_noise));
        let (ids, prompt_count) = (prompt_ids.as_ptr(), prompt_ids.len());
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let (context, plan) = (context.raw(), plan.raw());
            sys::mixgrpo_rollout_create(context, plan, &raw, ids, prompt_count, noise, noise_count, out)
        })?;
        let latent_size = config.latent_size;
        Ok(Self { handle, prompt_count, group_size: plan.group_size(), latent_size, context: context.clone() })
    }

    /// The next request, `None` when nothing is left.
    ///
    /// # Errors
    /// `NotFinite` when a latent has overflowed, which ended the rollout; `Cancelled`.
    pub fn next_request(&mut self) -> Result<Option<RolloutRequest<'_>>> {
        let mut raw = sys::mixgrpo_velocity_request::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_rollout_next(self.handle.get(), &mut raw) })?;
        let asks = raw.kind == sys::MIXGRPO_REQUEST_KIND_EVALUATE;
        Ok(asks.then_some(RolloutRequest { rollout: self, batch: LatentBatch::new(raw) }))
    }

    /// Answers all remaining requests with the built-in model.
    ///
    /// On `Cancelled` or an error, the rollout stands at the request that was not answered, and the call may be repeated.
    pub fn run(&mut self, evaluator: &mut Evaluator, prompts: &Prompts) -> Result<()> {
        let (_memory, _model) = (evaluator.shared.memory.change()?, evaluator.shared.model.weights.read()?);
        let (raw, evaluator, prompts) = (self.handle.get(), evaluator.raw(), prompts.raw());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_rollout_run(raw, evaluator, prompts) })
    }

    /// The finished samples at σ = 0, (P, G, D).
    ///
    /// # Errors
    /// `InvalidState` before the rollout is finished.
    pub fn samples(&self) -> Result<Vec<f32>> {
        let mut out = buffer(self.values())?;
        self.samples_into(&mut out)?;
        Ok(out)
    }

    /// Writes the finished samples to the host's own buffer.
    pub fn samples_into(&self, out: &mut [f32]) -> Result<()> {
        let (raw, values, capacity) = (self.raw(), out.as_mut_ptr(), out.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_rollout_get_samples(raw, values, capacity) })
    }

    /// What the rollout stored of trained step `index`, 0…trained_step_count − 1.
    ///
    /// # Errors
    /// `InvalidState` before the rollout is finished.
    pub fn stored_step(&self, index: i32) -> Result<StoredStep> {
        let (values, samples) = (self.values(), self.sample_count());
        let mut stored =
            StoredStep { latents: buffer(values)?, next_latents: buffer(values)?, log_probabilities: buffer(samples)? };
        let StoredStep { latents, next_latents, log_probabilities } = &mut stored;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            let (before, after) = (latents.as_mut_ptr(), next_latents.as_mut_ptr());
            let logs = log_probabilities.as_mut_ptr();
            sys::mixgrpo_rollout_get_step(self.raw(), index, before, values, after, values, logs, samples)
        })?;
        Ok(stored)
    }

    /// Latents evaluated so far.
    pub fn model_calls(&self) -> i64 {
        // SAFETY: the handle is alive.
        unsafe { sys::mixgrpo_rollout_model_calls(self.raw()) }
    }

    /// P·G.
    pub fn sample_count(&self) -> usize {
        product(&[self.prompt_count, self.group_size])
    }

    fn values(&self) -> usize {
        product(&[self.sample_count(), self.latent_size])
    }

    pub(crate) fn latent_size(&self) -> usize {
        self.latent_size
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn raw(&self) -> *const sys::mixgrpo_rollout {
        self.handle.get()
    }
}

impl RolloutRequest<'_> {
    /// Answers with the velocity, (B, D).
    ///
    /// # Errors
    /// `InvalidArgument` for a wrong size; `NotFinite` for a NaN or infinite velocity. After these the request still stands:
    /// [`Rollout::next_request`] returns it again. `NotFinite` also when a latent overflows, which ends the rollout.
    pub fn submit(self, velocity: &[f32]) -> Result<()> {
        let (raw, values, count) = (self.rollout.handle.get(), velocity.as_ptr(), velocity.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_rollout_submit(raw, values, count) })
    }
}

impl Deref for RolloutRequest<'_> {
    type Target = LatentBatch;
    fn deref(&self) -> &LatentBatch {
        &self.batch
    }
}
