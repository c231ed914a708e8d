//! Policy gradients of one iteration: the training on one rollout as a state machine.

use std::ops::Deref;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use crate::advantages::Advantages;
use crate::border::{self, buffer, product, same_size, Handle};
use crate::configurations::LearningConfig;
use crate::context::Context;
use crate::error::Result;
use crate::evaluator::Evaluator;
use crate::mirror::MirrorStruct;
use crate::optimizer::Optimizer;
use crate::prompts::Prompts;
use crate::request::LatentBatch;
use crate::rollout::Rollout;
use crate::structs::{OptimizerReport, UpdateStatistics};
use crate::sys;

/// The training on one finished rollout: it asks for velocities and answers with ∂L/∂velocity.
///
/// ```
/// use mixgrpo::*;
///
/// // The host's own model with a single weight: v = weight · x.
/// let (context, mut weight, mut gradient) = (Context::new(1)?, [0.5_f32], [0.0_f32]);
/// let velocity = |weight: f32, batch: &LatentBatch| -> Vec<f32> { batch.latents().iter().map(|x| weight * x).collect() };
///
/// let plan = Plan::new(&SamplingConfig { steps: 6, group_size: 4, ..SamplingConfig::default() })?;
/// let config = RolloutConfig { latent_size: 3, ..RolloutConfig::default() };
/// let mut rollout = Rollout::new(&context, &plan, &config, &[0])?;
/// while let Some(request) = rollout.next_request()? {
///     let answer = velocity(weight[0], &request);
///     request.submit(&answer)?;
/// }
/// let rewards: Vec<f64> = rollout.samples()?.chunks(3).map(|sample| f64::from(sample[0])).collect();
///
/// let learning = LearningConfig { learning_rate: 0.01, ..LearningConfig::default() };
/// let advantages = Advantages::new(&learning, &rewards, 1, 4, None)?;
/// let mut optimizer = Optimizer::new(&context, &learning, weight.len())?;
/// let mut update = Update::new(&rollout, &learning, &advantages, 0)?;
/// while let Some(request) = update.next_request()? {
///     match request {
///         UpdateRequest::Evaluate(request) => {
///             let (x, answer) = (request.latents().to_vec(), velocity(weight[0], &request));
///             let d_velocity = request.submit(&answer, None)?;
///             gradient[0] += x.iter().zip(&d_velocity).map(|(x, d)| x * d).sum::<f32>();
///         }
///         UpdateRequest::OptimizerStep { .. } => {
///             optimizer.step(&mut weight, &gradient)?;
///             gradient[0] = 0.0;
///         }
///     }
/// }
/// assert!(weight[0] != 0.5);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
///
/// [`run`](Self::run) answers with the built-in model.
#[derive(Debug)]
pub struct Update {
    handle: Handle<sys::mixgrpo_update>,
    latent_size: usize,
    _context: Context,
}

/// What an update asks the host to do.
#[derive(Debug)]
pub enum UpdateRequest<'a> {
    /// Evaluate the model, submit the velocity, and backpropagate the returned gradient.
    Evaluate(UpdateEvaluation<'a>),
    /// Step the optimizer on the accumulated gradients and zero them. Counts as done with the next call of
    /// [`next_request`](Update::next_request).
    OptimizerStep {
        /// Index of the minibatch, 0…updates_per_iteration − 1.
        minibatch: i32,
    },
}

/// Latents that an update asks the host to evaluate. A request that is dropped without an answer is given again.
#[derive(Debug)]
pub struct UpdateEvaluation<'a> {
    update: &'a mut Update,
    batch: LatentBatch,
}

impl Update {
    /// Begins the update on a finished rollout, and keeps what it needs of it. `max_batch`: most latents in one request, 0
    /// for no limit.
    ///
    /// # Errors
    /// `InvalidState` when the rollout is not finished.
    pub fn new(rollout: &Rollout, config: &LearningConfig, advantages: &Advantages, max_batch: i32) -> Result<Self> {
        let Advantages { values, included, .. } = advantages;
        same_size("included", values.len(), included.len())?;
        let flags: Vec<u8> = included.iter().map(|flag| u8::from(*flag)).collect();
        let (config, values, flags, count) = (config.to_raw(), values.as_ptr(), flags.as_ptr(), flags.len());
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        let handle = Handle::create(|out| unsafe {
            sys::mixgrpo_update_create(rollout.raw(), &config, values, flags, count, max_batch, out)
        })?;
        Ok(Self { handle, latent_size: rollout.latent_size(), _context: rollout.context().clone() })
    }

    /// The next request, `None` when nothing is left.
    pub fn next_request(&mut self) -> Result<Option<UpdateRequest<'_>>> {
        let mut raw = sys::mixgrpo_velocity_request::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_update_next(self.handle.get(), &mut raw) })?;
        Ok(match raw.kind {
            sys::MIXGRPO_REQUEST_KIND_EVALUATE => {
                Some(UpdateRequest::Evaluate(UpdateEvaluation { update: self, batch: LatentBatch::new(raw) }))
            }
            sys::MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP => Some(UpdateRequest::OptimizerStep { minibatch: raw.minibatch }),
            _ => None,
        })
    }

    /// Answers all requests with the built-in model, in batches that the evaluator's `max_batch` and `max_bytes` allow,
    /// and steps `optimizer` on it. The report is of the last step; its gradient norm is the mean over this run's steps.
    ///
    /// `reference`: an evaluator of a frozen copy, needed when `kl_reference` is above 0. Gradients must be 0 at the start
    /// and are 0 at the end.
    ///
    /// On `Cancelled` or an error, model and optimizer are as before the call, the update is back at its start, and the call
    /// may be repeated. With `Undo::None` in the update's configuration the finished optimizer steps stay, the message says
    /// how many, and a repeated call does the rest.
    ///
    /// # Errors
    /// `NotFinite` when a velocity, gradient or weight would be; `InvalidState` when the update has begun, or when gradients
    /// are not 0.
    pub fn run(
        &mut self, evaluator: &mut Evaluator, prompts: &Prompts, optimizer: &mut Optimizer,
        reference: Option<&mut Evaluator>,
    ) -> Result<OptimizerReport> {
        let (_memory, _model) = (evaluator.shared.memory.change()?, evaluator.shared.model.weights.change()?);
        let other = reference.as_ref().map(|reference| Arc::clone(&reference.shared));
        let _other_memory = other.as_ref().map(|other| other.memory.change()).transpose()?;
        let frozen = other.as_ref().filter(|other| !Arc::ptr_eq(&other.model, &evaluator.shared.model));
        let _other_model = frozen.map(|other| other.model.weights.read()).transpose()?;
        let (raw, prompts, optimizer) = (self.handle.get(), prompts.raw(), optimizer.raw());
        let (evaluator, reference) = (evaluator.raw(), reference.map_or(null_mut(), |reference| reference.raw()));
        // SAFETY: all pointers are valid during the call.
        OptimizerReport::read(|report| unsafe {
            sys::mixgrpo_update_run(raw, evaluator, prompts, optimizer, reference, report)
        })
    }

    /// What was seen so far.
    pub fn statistics(&self) -> Result<UpdateStatistics> {
        // SAFETY: all pointers are valid during the call.
        UpdateStatistics::read(|out| unsafe { sys::mixgrpo_update_get_statistics(self.handle.get(), out) })
    }
}

impl UpdateEvaluation<'_> {
    /// Answers with the velocity (B, D) of the model in training and returns ∂L/∂velocity, (B, D), to be backpropagated into
    /// the host's model and accumulated until the next optimizer step. It is already scaled: gradients are only added.
    ///
    /// `reference_velocity`: (B, D) of the frozen reference when [`needs_reference`](LatentBatch::needs_reference).
    ///
    /// # Errors
    /// As in [`RolloutRequest::submit`](crate::RolloutRequest::submit).
    pub fn submit(self, velocity: &[f32], reference_velocity: Option<&[f32]>) -> Result<Vec<f32>> {
        let mut d_velocity = buffer(product(&[self.batch.len(), self.update.latent_size]))?;
        self.submit_into(velocity, reference_velocity, &mut d_velocity)?;
        Ok(d_velocity)
    }

    /// Does the same and writes to the host's own buffer.
    pub fn submit_into(
        self, velocity: &[f32], reference_velocity: Option<&[f32]>, d_velocity: &mut [f32],
    ) -> Result<()> {
        if let Some(reference) = reference_velocity {
            same_size("reference_velocity", velocity.len(), reference.len())?;
        }
        let reference = reference_velocity.map_or(null(), <[f32]>::as_ptr);
        let (raw, values, count) = (self.update.handle.get(), velocity.as_ptr(), velocity.len());
        let (out, capacity) = (d_velocity.as_mut_ptr(), d_velocity.len());
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        border::call(|| unsafe { sys::mixgrpo_update_submit(raw, values, reference, count, out, capacity) })
    }
}

impl Deref for UpdateEvaluation<'_> {
    type Target = LatentBatch;
    fn deref(&self) -> &LatentBatch {
        &self.batch
    }
}
