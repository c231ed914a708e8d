//! The trainer with the built-in model: rollout, the host's rewards, update.

use std::path::Path;
use std::sync::Arc;

use crate::border::{self, buffer, c_path, c_texts, optional, pointers, product, Handle};
use crate::collective::{Collective, Exchange};
use crate::configurations::LearningConfig;
use crate::configurations::SampleConfig;
use crate::enums::{Storage, Weights};
use crate::error::Result;
use crate::evaluator::{Evaluator, EvaluatorShared};
use crate::mirror::{Mirror, MirrorStruct};
use crate::plan::Plan;
use crate::prompts::Prompts;
use crate::structs::{Metrics, Resumption};
use crate::sys;
use crate::tickets::shared_methods;

/// Joins evaluator, prompts, plan, learning and optimizer, and trains the evaluator's model in place:
///
/// ```no_run
/// use mixgrpo::*;
///
/// # fn score(samples: &[f32]) -> Vec<f64> { vec![0.0; 24] }
/// # fn f(evaluator: &Evaluator, prompts: &Prompts, plan: &Plan) -> mixgrpo::Result<()> {
/// let mut trainer = Trainer::new(evaluator, prompts, plan, &LearningConfig::default(), &["my_reward"], false)?;
/// for _ in 0..100 {
///     let samples = trainer.rollout(&[0, 1])?; // (P, G, N, C)
///     let metrics = trainer.update(&score(&samples), None)?; // (K, P, G) rewards
///     println!("{}: {:.3}", metrics.iteration, metrics.reward_mean);
/// }
/// trainer.save_model(Weights::Trained, "aligned", Storage::Bf16)
/// # }
/// ```
///
/// [`train`](crate::train) is this loop with a closure as the reward.
#[derive(Debug)]
pub struct Trainer {
    handle: Arc<Handle<sys::mixgrpo_trainer>>,
    pub(crate) evaluator: Arc<EvaluatorShared>,
    prompt_count: usize,
    group_size: usize,
    reward_count: usize,
    /// The library has a pointer to it.
    exchange: Option<Box<Exchange>>,
}

shared_methods!(Trainer);

impl Trainer {
    /// Creates a trainer on the context of the evaluator's model, at iteration 0.
    ///
    /// `reward_names`: (K) distinct non-empty names, K in 1…1024. `keep_base`: keep a frozen copy of the weights as they are
    /// now, for hybrid samples and `Weights::Base`. It is always kept when `kl_reference` is above 0.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that does not fit.
    pub fn new(
        evaluator: &Evaluator, prompts: &Prompts, plan: &Plan, learning: &LearningConfig, reward_names: &[&str],
        keep_base: bool,
    ) -> Result<Self> {
        let names = c_texts(reward_names, "reward_names")?;
        let (names, name_count, learning) = (pointers(&names), names.len(), learning.to_raw());
        let shared = &evaluator.shared;
        let (memory, model) = (shared.memory.change()?, shared.model.weights.read()?);
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let (evaluator, prompts, plan, names) = (evaluator.raw(), prompts.raw(), plan.raw(), names.as_ptr());
            sys::mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, name_count, keep_base.to_raw(), out)
        })?;
        drop((memory, model));
        Ok(Self {
            handle: Arc::new(handle),
            evaluator: Arc::clone(shared),
            prompt_count: prompts.len(),
            group_size: plan.group_size(),
            reward_count: name_count,
            exchange: None,
        })
    }

    /// G, images per prompt.
    pub fn group_size(&self) -> usize {
        self.group_size
    }

    /// D = N·C, values in one sample.
    pub fn latent_size(&self) -> usize {
        self.evaluator.latent_size
    }

    /// The number of the trainer's prompts.
    pub fn prompt_count(&self) -> usize {
        self.prompt_count
    }

    /// Makes this trainer one of several ranks that train one model together, or one that trains alone again. Every rank calls
    /// it, and then makes the same calls in the same order.
    ///
    /// A rollout takes the prompts of all ranks and returns the samples of this rank's [`share`](Self::share); an update takes
    /// the rewards of these. Weights, optimizer, metrics and window have the same bits for any number of ranks. An error on one
    /// rank ends the call on all.
    ///
    /// # Errors
    /// `InvalidState` while samples wait for an update; `InvalidArgument` naming rank and field where ranks have other settings,
    /// prompts, reward names, weights, or another version of the library; `InputOutput` when `collective` fails.
    pub fn set_collective(&mut self, collective: Option<Box<dyn Collective>>) -> Result<()> {
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.read()?);
        let context = &self.evaluator.model.context.shared;
        let exchange = collective.map(|collective| Box::new(Exchange::new(collective, Arc::clone(context))));
        let raw = exchange.as_ref().map(|exchange| exchange.to_raw()).transpose()?;
        let pointer = raw.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the struct is valid during the call, and what it points to as long as the library has it.
        border::call(|| unsafe { sys::mixgrpo_trainer_set_collective(self.raw(), pointer) })?;
        self.exchange = exchange;
        Ok(())
    }

    /// The places of this rank's prompts among so many; all without a collective.
    pub fn share(&self, prompts: usize) -> std::ops::Range<usize> {
        let (rank, size) = self.exchange.as_ref().map_or((0, 1), |exchange| exchange.rank());
        rank * prompts / size..(rank + 1) * prompts / size
    }

    /// Samples a group for each of P distinct prompts: (P, G, N, C) at σ = 0.
    ///
    /// A rollout that no update follows is replaced by the next one, in the same iteration and with the same random numbers.
    /// It stays when the next one is cancelled or fails, unless the evaluator's `max_bytes` has no room for both.
    pub fn rollout(&mut self, prompt_indices: &[i32]) -> Result<Vec<f32>> {
        let prompts = self.share(prompt_indices.len()).len();
        let mut samples = buffer(product(&[prompts, self.group_size, self.latent_size()]))?;
        self.rollout_into(prompt_indices, &mut samples)?;
        Ok(samples)
    }

    /// Samples groups into the host's own buffer.
    pub fn rollout_into(&mut self, prompt_indices: &[i32], samples: &mut [f32]) -> Result<()> {
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.read()?);
        let (raw, indices, count) = (self.raw(), prompt_indices.as_ptr(), prompt_indices.len());
        let (out, capacity) = (samples.as_mut_ptr(), samples.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_rollout(raw, indices, count, out, capacity) })
    }

    /// Trains on the latest rollout and moves to the next iteration.
    ///
    /// `rewards`: (K, P, G); NaN for a reward that failed. `weights`: (K), each 0 or more, not all 0; `None` for 1 each.
    ///
    /// On `Cancelled` or an error, weights, optimizer and iteration are as before the call, and it may be repeated. With
    /// `Undo::None` the finished optimizer steps stay, the message says how many, and the call repeated with the same rewards
    /// does the rest.
    ///
    /// # Errors
    /// `InvalidState` without a rollout; with `FaultPolicy::Stop` also `NotFinite` and `Diverged`.
    pub fn update(&mut self, rewards: &[f64], weights: Option<&[f64]>) -> Result<Metrics> {
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.change()?);
        let (raw, values, count, (weights, weight_count)) =
            (self.raw(), rewards.as_ptr(), rewards.len(), optional(weights));
        // SAFETY: all pointers are valid during the call.
        Metrics::read(|out| unsafe { sys::mixgrpo_trainer_update(raw, values, count, weights, weight_count, out) })
    }

    /// Saves everything that a bit-exact continuation needs into `folder`: weights, optimizer, averages, base, iteration,
    /// window and settings, with a checksum. The file is written under a temporary name, synced and renamed.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        let _reading = self.evaluator.model.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_save(self.raw(), folder.as_ptr()) })
    }

    /// Brings this trainer, created with the same model sizes and settings, to the saved state; weights go into its model. A
    /// pending rollout and tickets are dropped.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidFormat`; `InvalidArgument` naming the settings that differ.
    pub fn restore(&mut self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.change()?);
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_restore(self.raw(), folder.as_ptr()) })
    }

    /// Saves the same into a folder of checkpoints, one file for each iteration that was saved. When the new file is on the
    /// disk, all others are removed except the newest `keep_last` and, with `keep_every` above 0, those whose iteration is a
    /// multiple of it.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidState` when there is a complete checkpoint of a later iteration: it belongs to another run, or
    /// was not resumed from.
    pub fn checkpoint(&self, folder: impl AsRef<Path>, keep_last: i32, keep_every: i64) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        let _reading = self.evaluator.model.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_checkpoint(self.raw(), folder.as_ptr(), keep_last, keep_every) })
    }

    /// Brings this trainer to the newest complete checkpoint in a folder, in the way of [`restore`](Self::restore). `None`, with
    /// nothing changed, when there is none. Newer checkpoints that are incomplete are skipped; a log line gives the reason for
    /// each.
    ///
    /// # Errors
    /// `InvalidFormat` when there are checkpoints and none is complete; `InvalidArgument` naming the settings that differ.
    pub fn resume(&mut self, folder: impl AsRef<Path>) -> Result<Option<Resumption>> {
        let folder = c_path(folder.as_ref())?;
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.change()?);
        // SAFETY: all pointers are valid during the call.
        let resumption =
            Resumption::read(|out| unsafe { sys::mixgrpo_trainer_resume(self.raw(), folder.as_ptr(), out) })?;
        Ok((resumption.iteration >= 0).then_some(resumption))
    }

    /// Draws deterministic samples with the trainer's own weights and prompts, (P, S, N, C), in the way of
    /// [`Evaluator::sample`](crate::Evaluator::sample). A pending rollout stays.
    ///
    /// # Errors
    /// `InvalidState` when the base or the average is asked for and not kept.
    pub fn sample(
        &mut self, weights: Weights, config: &SampleConfig, prompt_indices: &[i32], initial_noise: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let mut out: Vec<f32> = buffer(config.values(prompt_indices, self.latent_size()))?;
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.read()?);
        let (raw, weights, config) = (self.raw(), weights.to_raw(), config.to_raw());
        let (indices, count, (noise, noise_count)) =
            (prompt_indices.as_ptr(), prompt_indices.len(), optional(initial_noise));
        let (samples, capacity) = (out.as_mut_ptr(), out.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            sys::mixgrpo_trainer_sample(raw, weights, &config, indices, count, noise, noise_count, samples, capacity)
        })?;
        Ok(out)
    }

    /// Writes one of the trainer's sets of weights as [`Model::save`](crate::Model::save) does.
    pub fn save_model(&self, weights: Weights, folder: impl AsRef<Path>, storage: Storage) -> Result<()> {
        let (folder, weights, storage) = (c_path(folder.as_ref())?, weights.to_raw(), storage.to_raw());
        let _reading = self.evaluator.model.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_save_model(self.raw(), weights, folder.as_ptr(), storage) })
    }

    pub(crate) fn raw(&self) -> *mut sys::mixgrpo_trainer {
        self.handle.get()
    }
}
