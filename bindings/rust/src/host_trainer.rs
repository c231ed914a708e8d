//! A trainer for a model that the host owns: the library runs the iteration, the host answers its requests.

use std::ops::Range;
use std::sync::Arc;

use crate::border::{self, buffer, c_text, c_texts, count, optional, pointers, product, Handle};
use crate::collective::Collective;
use crate::configurations::{HostConfig, LearningConfig, SampleConfig};
use crate::context::Context;
use crate::enums::{MissingRewards, Weights};
use crate::error::{Error, Result, Status};
use crate::evaluation::Evaluation;
use crate::mirror::{Mirror, MirrorStruct};
use crate::plan::Plan;
use crate::ranks::{token, Ranks};
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

    /// Steps the optimizer at its rate times `rate_factor` and zeroes the gradients. With several ranks, it first replaces the
    /// gradients by their sum over all ranks. All ranks make this call, also those without a [`backward`](Self::backward)
    /// before it.
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
    pub(crate) ranks: Ranks,
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
            ranks: Ranks::new(None),
            _context: context.clone(),
        })
    }

    /// Makes this trainer one of several ranks that train one model together, or one that trains alone again. Every rank calls
    /// it, and then makes the same calls in the same order.
    ///
    /// A rollout takes the prompts of all ranks and returns the samples of this rank's [`share`](Self::share). Rewards are those
    /// of all ranks: [`gather_scores`](Self::gather_scores). The model adds up gradients in [`HostModel::step`]. Advantages,
    /// metrics, warnings and window are the same on all ranks, and those of one process up to the rounding of sums.
    ///
    /// The trainer exchanges failures and figures through `all_gather`, from the thread that calls it. An error on one rank ends
    /// the call on all; that rank returns its own, the others one such as `rank 1: …`. All are where they were before the call
    /// and may repeat it. When `all_gather` fails, or when an update cannot be undone, this rank takes part in no exchange any
    /// more: end the program, or set another collective on all ranks.
    ///
    /// # Errors
    /// `InvalidState` while samples wait for an update; `InvalidArgument` naming the entry that ranks have different settings or
    /// progress in; `InputOutput` when `collective` fails. The trainer is then as before.
    pub fn set_collective(&mut self, collective: Option<Box<dyn Collective>>) -> Result<()> {
        let mut ranks = Ranks::new(collective);
        let set = self.set_rank(&ranks);
        if set.as_ref().is_err_and(|error| error.status() == Status::InvalidArgument) {
            return set; // without a rank there is nobody to ask
        }
        let progress = ranks.together(set.and_then(|()| self.progress()), token("set_collective", []));
        let same = progress.and_then(|progress| ranks.require_same(&progress));
        if same.is_ok() {
            self.ranks = ranks;
        } else {
            let _ = self.set_rank(&self.ranks); // as before
        }
        same
    }

    fn set_rank(&self, ranks: &Ranks) -> Result<()> {
        let (rank, size) = ranks.place();
        let (rank, size) = (count(rank, "rank")?, count(size, "size")?);
        // SAFETY: the handle is alive.
        border::call(|| unsafe { sys::mixgrpo_trainer_set_rank(self.raw(), rank, size) })
    }

    /// The places of this rank's prompts among so many; all without a collective.
    pub fn share(&self, prompts: usize) -> Range<usize> {
        self.ranks.share(prompts)
    }

    /// Puts scores of all ranks together, (K, P, S) of this `shape`, from those of this rank's share, (K, share, S). Every rank
    /// calls it with the same shape. For [`update`](Self::update) and [`RewardInbox::submit`](crate::RewardInbox::submit) S is G.
    ///
    /// # Errors
    /// `InvalidArgument` on all ranks when one of them has another number of values; `InputOutput` when the collective fails.
    pub fn gather_scores(&mut self, own: &[f64], shape: [usize; 3]) -> Result<Vec<f64>> {
        self.ranks.gather_scores(own, shape)
    }

    /// Samples a group for each of P distinct prompts: (P, G, D) at σ = 0; of several ranks each returns its share. A rollout
    /// that no update follows is replaced by the next one, in the same iteration and with the same random numbers; it stays when
    /// that fails.
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
        let call = token("rollout", numbers(prompt_indices).chain([with_ticket.into()]));
        // SAFETY: all pointers are valid during the call.
        self.begin(call, || unsafe { sys::mixgrpo_trainer_begin_rollout(raw, indices, count, with_ticket.to_raw()) })?;
        self.answer_all()?;
        let prompts = prompt_indices[self.share(count)].to_vec();
        let (samples, ticket) = self.drawn(product(&[prompts.len(), self.group_size, self.latent_size]))?;
        Ok(TicketedSamples { ticket, prompts, samples })
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
        let call = token("update", rewards.iter().chain(weights.unwrap_or_default()).map(|value| value.to_bits()));
        let (raw, values, count) = (self.raw(), rewards.as_ptr(), rewards.len());
        let (weights, weight_count) = optional(weights);
        // SAFETY: all pointers are valid during the call.
        self.begin(call, || unsafe { sys::mixgrpo_trainer_begin_update(raw, values, count, weights, weight_count) })?;
        self.answer_all()?;
        self.metrics()
    }

    /// Trains on the iteration's tickets and moves to the next iteration, which closes them. Otherwise as in
    /// [`update`](Self::update).
    pub fn update_tickets(&mut self, missing: MissingRewards, weights: Option<&[f64]>) -> Result<Metrics> {
        let call = token("update_tickets", weights.unwrap_or_default().iter().map(|value| value.to_bits()));
        let (raw, missing, (weights, weight_count)) = (self.raw(), missing.to_raw(), optional(weights));
        // SAFETY: all pointers are valid during the call.
        self.begin(call, || unsafe { sys::mixgrpo_trainer_begin_update_tickets(raw, missing, weights, weight_count) })?;
        self.answer_all()?;
        self.metrics()
    }

    /// Draws deterministic samples, (P, S, D); of several ranks each returns its share. A pending rollout stays. The requests
    /// name `weights`; with `trained_model_share` below 1 those of the last steps name `Weights::Base`.
    pub fn sample(
        &mut self, weights: Weights, config: &SampleConfig, prompt_indices: &[i32], initial_noise: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let values = config.values(&prompt_indices[self.share(prompt_indices.len())], self.latent_size);
        let (raw, weights, config) = (self.raw(), weights.to_raw(), config.to_raw());
        let (indices, count, (noise, noise_count)) =
            (prompt_indices.as_ptr(), prompt_indices.len(), optional(initial_noise));
        let call = token("sample", numbers(prompt_indices));
        // SAFETY: all pointers are valid during the call.
        self.begin(call, || unsafe {
            sys::mixgrpo_trainer_begin_sample(raw, weights, &config, indices, count, noise, noise_count)
        })?;
        self.answer_all()?;
        Ok(self.drawn(values)?.0)
    }

    /// Draws the samples of an evaluation, (P, S, D), from the same noise each time; of several ranks each returns its share, and
    /// submits the scores of all. The host keeps the best weights itself.
    pub fn sample_evaluation(&mut self, evaluation: &Evaluation) -> Result<Vec<f32>> {
        let (raw, (prompts, samples)) = (self.raw(), evaluation.sizes());
        let call = token("sample_evaluation", []);
        // SAFETY: both handles are alive.
        self.begin(call, || unsafe { sys::mixgrpo_evaluation_begin_sample(evaluation.raw(), raw) })?;
        self.answer_all()?;
        Ok(self.drawn(product(&[self.share(prompts).len(), samples, self.latent_size]))?.0)
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

    fn drawn(&self, values: usize) -> Result<(Vec<f32>, i64)> {
        let (mut samples, mut ticket) = (buffer::<f32>(values)?, 0);
        let (out, capacity) = (samples.as_mut_ptr(), samples.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_get_samples(self.raw(), out, capacity, &mut ticket) })?;
        Ok((samples, ticket))
    }

    pub(crate) fn raw(&self) -> *mut sys::mixgrpo_trainer {
        self.handle.get()
    }
}

fn numbers(prompt_indices: &[i32]) -> impl Iterator<Item = u64> + '_ {
    prompt_indices.iter().map(|index| *index as u64)
}
