//! A trainer for a model that the host owns: the library runs the iteration, the host answers its requests.

use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::Arc;

use crate::border::{self, buffer, c_text, c_texts, optional, pointers, product, same_size, Handle};
use crate::configurations::{HostConfig, LearningConfig, SampleConfig};
use crate::context::Context;
use crate::enums::{MissingRewards, Weights};
use crate::error::{Error, Result, Status};
use crate::evaluation::Evaluation;
use crate::mirror::{Mirror, MirrorStruct};
use crate::plan::Plan;
use crate::request::LatentBatch;
use crate::structs::Metrics;
use crate::sys;
use crate::tickets::{shared_methods, TicketedSamples};

/// What the host's optimizer step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Norm of all gradients, before the clip.
    pub gradient_norm: f64,
    /// Learning rate of this step.
    pub learning_rate: f64,
}

/// The host's model with its optimizer. When a method fails, the trainer's call undoes everything and returns the method's
/// error; after `NotFinite` or `Diverged` the fault policy decides.
pub trait HostModel {
    /// Evaluates the velocity (B, D) with [`weights`](LatentBatch::weights). If
    /// [`needs_gradient`](LatentBatch::needs_gradient), a [`backward`](Self::backward) follows.
    fn velocity(&mut self, batch: &LatentBatch) -> Result<Vec<f32>>;

    /// Evaluates the velocity (B, D) of the frozen reference, for the KL term.
    fn reference_velocity(&mut self, _: &LatentBatch) -> Result<Vec<f32>> {
        Err(Error::invalid("reference: expected a frozen model, as kl_reference is set, got none"))
    }

    /// Backpropagates ∂L/∂velocity, (B, D), through the model and adds to its gradients.
    fn backward(&mut self, batch: &LatentBatch, d_velocity: &[f32]) -> Result<()>;

    /// Steps the optimizer at its rate times `rate_factor` and zeroes the gradients.
    fn step(&mut self, minibatch: i32, rate_factor: f64) -> Result<StepReport>;

    /// Copies everything that [`step`](Self::step) changes.
    fn keep_state(&mut self) -> Result<()>;

    /// Restores the copy.
    fn restore_state(&mut self) -> Result<()>;

    /// Sets the accumulated gradients to 0.
    fn zero_gradients(&mut self) -> Result<()>;
}

/// Rollout, the host's rewards, update, for a model and an optimizer that the host owns.
///
/// ```
/// use mixgrpo::*;
///
/// /// One weight: v = weight · x.
/// #[derive(Default)]
/// struct Scale { weight: f32, gradient: f32, kept: f32 }
///
/// impl HostModel for Scale {
///     fn velocity(&mut self, batch: &LatentBatch) -> Result<Vec<f32>> {
///         Ok(batch.latents().iter().map(|x| self.weight * x).collect())
///     }
///     fn backward(&mut self, batch: &LatentBatch, d_velocity: &[f32]) -> Result<()> {
///         self.gradient += batch.latents().iter().zip(d_velocity).map(|(x, d)| x * d).sum::<f32>();
///         Ok(())
///     }
///     fn step(&mut self, _: i32, rate_factor: f64) -> Result<StepReport> {
///         let (norm, rate) = (f64::from(self.gradient.abs()), 0.01 * rate_factor);
///         self.weight -= rate as f32 * self.gradient;
///         self.gradient = 0.0;
///         Ok(StepReport { gradient_norm: norm, learning_rate: rate })
///     }
///     fn keep_state(&mut self) -> Result<()> { self.kept = self.weight; Ok(()) }
///     fn restore_state(&mut self) -> Result<()> { self.weight = self.kept; Ok(()) }
///     fn zero_gradients(&mut self) -> Result<()> { self.gradient = 0.0; Ok(()) }
/// }
///
/// let plan = Plan::new(&SamplingConfig { steps: 6, group_size: 4, ..SamplingConfig::default() })?;
/// let host = HostConfig { prompt_count: 2, latent_size: 3, ..HostConfig::default() };
/// let model = Scale { weight: 0.5, ..Scale::default() };
/// let mut trainer =
///     HostTrainer::new(&Context::new(1)?, &plan, &LearningConfig::default(), &host, &["first"], model)?;
/// let samples = trainer.rollout(&[0, 1])?; // (P, G, D)
/// let rewards: Vec<f64> = samples.chunks(3).map(|sample| f64::from(sample[0])).collect();
/// let metrics = trainer.update(&rewards, None)?;
/// assert_eq!((metrics.first_ratio_min, trainer.iteration()), (1.0, 1));
/// assert!(trainer.model.weight != 0.5);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct HostTrainer<M: HostModel> {
    handle: Arc<Handle<sys::mixgrpo_trainer>>,
    /// The host's model. It must not change between a failed update and its repetition.
    pub model: M,
    latent_size: usize,
    group_size: usize,
    reward_count: usize,
    _context: Context,
}

shared_methods!(HostTrainer<M: HostModel>);

impl<M: HostModel> HostTrainer<M> {
    /// Creates a trainer at iteration 0. `reward_names`: (K) distinct non-empty names.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that does not fit, also settings of the optimizer and `ema_decay` that are not at
    /// their defaults: the host's own optimizer would not obey them.
    pub fn new(
        context: &Context, plan: &Plan, learning: &LearningConfig, host: &HostConfig, reward_names: &[&str], model: M,
    ) -> Result<Self> {
        let names = c_texts(reward_names, "reward_names")?;
        let (names, reward_count) = (pointers(&names), names.len());
        let (learning, raw) = (learning.to_raw(), host.to_raw());
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let (context, plan, names) = (context.raw(), plan.raw(), names.as_ptr());
            sys::mixgrpo_trainer_create_for_host(context, plan, &learning, &raw, names, reward_count, out)
        })?;
        Ok(Self {
            handle: Arc::new(handle),
            model,
            latent_size: host.latent_size,
            group_size: plan.group_size(),
            reward_count,
            _context: context.clone(),
        })
    }

    /// Samples a group for each of P distinct prompts: (P, G, D) at σ = 0. A rollout that no update follows is replaced by the
    /// next one, in the same iteration and with the same random numbers; it stays when that fails.
    pub fn rollout(&mut self, prompt_indices: &[i32]) -> Result<Vec<f32>> {
        Ok(self.draw(prompt_indices, false)?.samples)
    }

    /// Samples groups as one of the iteration's rollouts, with a ticket for their rewards.
    ///
    /// # Errors
    /// `InvalidArgument` for a prompt that has a ticket in this iteration.
    pub fn rollout_ticket(&mut self, prompt_indices: &[i32]) -> Result<TicketedSamples> {
        self.draw(prompt_indices, true)
    }

    fn draw(&mut self, prompt_indices: &[i32], with_ticket: bool) -> Result<TicketedSamples> {
        let (raw, indices, count) = (self.raw(), prompt_indices.as_ptr(), prompt_indices.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_begin_rollout(raw, indices, count, with_ticket.to_raw()) })?;
        self.answer_all()?;
        let (samples, ticket) = self.drawn(product(&[prompt_indices.len(), self.group_size, self.latent_size]))?;
        Ok(TicketedSamples { ticket, prompts: prompt_indices.to_vec(), samples })
    }

    /// Trains on the latest rollout and moves to the next iteration. `rewards`: (K, P, G); NaN for a reward that failed.
    /// `weights`: (K), each 0 or more, not all 0; `None` for 1 each.
    ///
    /// On an error, also one of the model's, everything is as before the call, and it may be repeated. With `Undo::None` the
    /// finished optimizer steps stay, and the call repeated with the same rewards does the rest.
    ///
    /// # Errors
    /// `InvalidState` without a rollout; with `FaultPolicy::Stop` also `NotFinite` and `Diverged`.
    pub fn update(&mut self, rewards: &[f64], weights: Option<&[f64]>) -> Result<Metrics> {
        let (raw, values, count) = (self.raw(), rewards.as_ptr(), rewards.len());
        let (weights, weight_count) = optional(weights);
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_begin_update(raw, values, count, weights, weight_count) })?;
        self.answer_all()?;
        self.metrics()
    }

    /// Trains on the iteration's tickets and moves to the next iteration, which closes them. Otherwise as in
    /// [`update`](Self::update).
    pub fn update_tickets(&mut self, missing: MissingRewards, weights: Option<&[f64]>) -> Result<Metrics> {
        let (raw, missing, (weights, weight_count)) = (self.raw(), missing.to_raw(), optional(weights));
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_begin_update_tickets(raw, missing, weights, weight_count) })?;
        self.answer_all()?;
        self.metrics()
    }

    /// Draws deterministic samples, (P, S, D). A pending rollout stays. The requests name `weights`; with
    /// `trained_model_share` below 1 those of the last steps name `Weights::Base`.
    pub fn sample(
        &mut self, weights: Weights, config: &SampleConfig, prompt_indices: &[i32], initial_noise: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let values = config.values(prompt_indices, self.latent_size);
        let (raw, weights, config) = (self.raw(), weights.to_raw(), config.to_raw());
        let (indices, count, (noise, noise_count)) =
            (prompt_indices.as_ptr(), prompt_indices.len(), optional(initial_noise));
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            sys::mixgrpo_trainer_begin_sample(raw, weights, &config, indices, count, noise, noise_count)
        })?;
        self.answer_all()?;
        Ok(self.drawn(values)?.0)
    }

    /// Draws the samples of an evaluation, (P, S, D), from the same noise each time. The host keeps the best weights itself.
    pub fn sample_evaluation(&mut self, evaluation: &Evaluation) -> Result<Vec<f32>> {
        // SAFETY: both handles are alive.
        border::call(|| unsafe { sys::mixgrpo_evaluation_begin_sample(evaluation.raw(), self.raw()) })?;
        self.answer_all()?;
        Ok(self.drawn(product(&[evaluation.sample_count(), self.latent_size]))?.0)
    }

    /// What the host puts into its own checkpoint beside weights and optimizer: one line of JSON.
    pub fn progress(&self) -> Result<String> {
        // SAFETY: all pointers are valid during the call.
        border::read_text(|text, capacity, size| unsafe {
            sys::mixgrpo_trainer_get_progress(self.raw(), text, capacity, size)
        })
    }

    /// Continues from saved progress, once the host has loaded its weights and optimizer. A pending rollout and tickets are
    /// dropped.
    ///
    /// # Errors
    /// `InvalidFormat`; `InvalidArgument` naming the settings that differ. Nothing is changed then.
    pub fn set_progress(&mut self, json: &str) -> Result<()> {
        let json = c_text(json, "json")?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_set_progress(self.raw(), json.as_ptr()) })
    }

    // MARK: The loop

    fn drawn(&self, values: usize) -> Result<(Vec<f32>, i64)> {
        let (mut samples, mut ticket) = (buffer::<f32>(values)?, 0);
        let (out, capacity) = (samples.as_mut_ptr(), samples.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_get_samples(self.raw(), out, capacity, &mut ticket) })?;
        Ok((samples, ticket))
    }

    /// Answers requests until everything is finished, or undone.
    fn answer_all(&mut self) -> Result<()> {
        loop {
            match self.answer_next() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if self.fail(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers the next request. Returns whether nothing was left.
    fn answer_next(&mut self) -> Result<bool> {
        let mut request = sys::mixgrpo_velocity_request::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_next(self.raw(), &mut request) })?;
        match request.kind {
            sys::MIXGRPO_REQUEST_KIND_FINISHED => return Ok(true),
            sys::MIXGRPO_REQUEST_KIND_EVALUATE => self.evaluate(&LatentBatch::new(request))?,
            sys::MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP => {
                let report = self.model.step(request.minibatch, request.rate_factor)?;
                let (norm, rate) = (report.gradient_norm, report.learning_rate);
                // SAFETY: the handle is alive.
                border::call(|| unsafe { sys::mixgrpo_trainer_submit_step(self.raw(), norm, rate) })?;
            }
            sys::MIXGRPO_REQUEST_KIND_KEEP_STATE => self.model.keep_state()?,
            sys::MIXGRPO_REQUEST_KIND_RESTORE_STATE => self.model.restore_state()?,
            sys::MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS => self.model.zero_gradients()?,
            kind => return Err(Error::new(Status::Unsupported, format!("request: expected a known kind, got {kind}"))),
        }
        Ok(false)
    }

    fn evaluate(&mut self, batch: &LatentBatch) -> Result<()> {
        let reference = batch.needs_reference().then(|| self.model.reference_velocity(batch)).transpose()?;
        let velocity = self.model.velocity(batch)?;
        if let Some(reference) = &reference {
            same_size("reference_velocity", velocity.len(), reference.len())?;
        }
        let mut d_velocity: Vec<f32> = buffer(if batch.needs_gradient() { velocity.len() } else { 0 })?;
        let (raw, values, count) = (self.raw(), velocity.as_ptr(), velocity.len());
        let (frozen, capacity) = (optional(reference.as_deref()).0, d_velocity.len());
        let out = if batch.needs_gradient() { d_velocity.as_mut_ptr() } else { null_mut() };
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        border::call(|| unsafe { sys::mixgrpo_trainer_submit(raw, values, frozen, count, out, capacity) })?;
        if batch.needs_gradient() {
            self.model.backward(batch, &d_velocity)
        } else {
            Ok(())
        }
    }

    /// Reports a failure. Returns whether requests follow: to undo, or to go on as the fault policy says.
    fn fail(&mut self, error: &Error) -> bool {
        let message = CString::new(error.message().replace('\0', " ")).unwrap_or_default();
        // SAFETY: all pointers are valid during the call.
        let status = unsafe { sys::mixgrpo_trainer_fail(self.raw(), error.status().code(), message.as_ptr()) };
        status == sys::MIXGRPO_STATUS_OK
    }

    fn raw(&self) -> *mut sys::mixgrpo_trainer {
        self.handle.get()
    }
}
