//! Regular evaluations of a model in training: the best weights, and a watchdog against reward hacking.

use std::path::Path;

use crate::border::{self, buffer, c_path, c_text, pointers, product, Handle};
use crate::configurations::{EvaluationConfig, SampleConfig};
use crate::enums::{Storage, Verdict};
use crate::error::Result;
use crate::mirror::{Mirror, MirrorStruct};
use crate::model::Model;
use crate::structs::EvaluationResult;
use crate::sys;
use crate::trainer::Trainer;

/// A reward that scores evaluations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluationReward<'a> {
    /// Distinct and not empty.
    pub name: &'a str,
    /// Its weight in the score that decides which evaluation is the best, 0 or more.
    pub weight: f64,
    /// Training does not see this reward.
    pub held_out: bool,
}

/// Regular evaluations of a model in training: always the same prompts and the same noise, which no training sees, scored by
/// any rewards, also by rewards held out from training.
///
/// ```no_run
/// use mixgrpo::*;
///
/// # fn score(samples: &[f32]) -> Vec<f64> { vec![0.0; 4] }
/// # fn f(trainer: &mut Trainer) -> mixgrpo::Result<()> {
/// let rewards = [
///     EvaluationReward { name: "my_reward", weight: 1.0, held_out: false },
///     EvaluationReward { name: "another", weight: 0.0, held_out: true },
/// ];
/// let config = EvaluationConfig { watchdog: Watchdog::Stop, ..Default::default() };
/// let mut evaluation = Evaluation::new(&config, &SampleConfig::default(), &[0, 1], &rewards)?;
/// if evaluation.is_due(trainer.iteration()) {
///     let samples = evaluation.sample(trainer)?; // (P, S, N, C)
///     let result = evaluation.submit(trainer.iteration(), &score(&samples))?; // (K, P, S) scores
///     if result.verdict == Verdict::Stop {
///         println!("{}", result.message);
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// A host that owns the model and has no trainer draws the samples itself and does not call `sample`.
#[derive(Debug)]
pub struct Evaluation {
    handle: Handle<sys::mixgrpo_evaluation>,
    reward_count: usize,
    prompt_count: usize,
    sample_count: usize,
}

impl Evaluation {
    /// Creates an evaluation that has seen nothing. `sample`: how samples are drawn; its seed keys the noise.
    /// `prompt_indices`: (P), of the trainer's prompts, repetitions allowed.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that does not fit.
    pub fn new(
        config: &EvaluationConfig, sample: &SampleConfig, prompt_indices: &[i32], rewards: &[EvaluationReward],
    ) -> Result<Self> {
        let names = rewards.iter().map(|reward| c_text(reward.name, "reward_names")).collect::<Result<Vec<_>>>()?;
        let weights: Vec<f64> = rewards.iter().map(|reward| reward.weight).collect();
        let held_out: Vec<u8> = rewards.iter().map(|reward| reward.held_out.into()).collect();
        let (names, sample_count) = (pointers(&names), sample.values(prompt_indices, 1));
        let (config, sample) = (config.to_raw(), sample.to_raw());
        let (indices, count) = (prompt_indices.as_ptr(), prompt_indices.len());
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let (names, weights, held_out) = (names.as_ptr(), weights.as_ptr(), held_out.as_ptr());
            sys::mixgrpo_evaluation_create(
                &config,
                &sample,
                indices,
                count,
                names,
                weights,
                held_out,
                rewards.len(),
                out,
            )
        })?;
        Ok(Self { handle, reward_count: rewards.len(), prompt_count: count, sample_count })
    }

    /// Whether an iteration that is about to be trained must be evaluated first.
    pub fn is_due(&self, iteration: i64) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::mixgrpo_evaluation_is_due(self.raw(), iteration) != 0 }
    }

    /// Draws the samples of an evaluation, (P, S, N, C) at σ = 0, from the same noise each time. A pending rollout stays.
    /// The trainer may go on before the scores come: the weights of these samples are kept until then.
    ///
    /// # Errors
    /// `InvalidState` when the average is asked for and not kept.
    pub fn sample(&mut self, trainer: &mut Trainer) -> Result<Vec<f32>> {
        let mut out: Vec<f32> = buffer(product(&[self.sample_count, trainer.latent_size()]))?;
        let (_memory, _model) = (trainer.evaluator.memory.change()?, trainer.evaluator.model.weights.read()?);
        let (samples, capacity) = (out.as_mut_ptr(), out.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_sample(self.raw(), trainer.raw(), samples, capacity) })?;
        Ok(out)
    }

    /// Submits the scores (K, P, S) of an evaluation, NaN for one that failed. `iteration`: the trainer's when the samples
    /// were drawn; later than that of the previous evaluation.
    pub fn submit(&mut self, iteration: i64, scores: &[f64]) -> Result<EvaluationResult> {
        let (values, count) = (scores.as_ptr(), scores.len());
        // SAFETY: all pointers are valid during the call.
        EvaluationResult::read(|out| unsafe {
            sys::mixgrpo_evaluation_submit(self.raw(), iteration, values, count, out)
        })
    }

    /// The means (K) of the latest evaluation's finite scores, NaN for a reward without any.
    ///
    /// # Errors
    /// `InvalidState` before the first evaluation, and after [`restore`](Self::restore).
    pub fn means(&self) -> Result<Vec<f64>> {
        let mut means: Vec<f64> = buffer(self.reward_count)?;
        let (out, capacity) = (means.as_mut_ptr(), means.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_get_means(self.raw(), out, capacity) })?;
        Ok(means)
    }

    /// The iteration of the latest evaluation, and the watchdog's verdict on it. `None` before the first evaluation.
    ///
    /// A restored evaluation has its last verdict too, by its own watchdog settings: a run that the watchdog stopped should
    /// not go on when it is resumed there.
    pub fn verdict(&self) -> Result<Option<(i64, Verdict)>> {
        let (mut iteration, mut verdict) = (-1, 0);
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_get_verdict(self.raw(), &mut iteration, &mut verdict) })?;
        Ok(if iteration < 0 { None } else { Some((iteration, Verdict::from_raw(verdict, "verdict")?)) })
    }

    /// Copies the best weights into a model of the same sizes.
    ///
    /// # Errors
    /// `InvalidState` when none are kept.
    pub fn best_into(&self, model: &mut Model) -> Result<()> {
        let _alone = model.shared.weights.change()?;
        // SAFETY: both handles are alive.
        border::call(|| unsafe { sys::mixgrpo_evaluation_get_best(self.raw(), model.raw()) })
    }

    /// Writes the best weights as [`Model::save`] does. Errors as [`best_into`](Self::best_into).
    pub fn save_best(&self, folder: impl AsRef<Path>, storage: Storage) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_save_best(self.raw(), folder.as_ptr(), storage.to_raw()) })
    }

    /// Saves what a continuation needs into `folder`, which may be the trainer's: the best result with its weights, and the
    /// watchdog's memory.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_save(self.raw(), folder.as_ptr()) })
    }

    /// Brings this evaluation, created with the same rewards, prompts and sampling, to the saved state.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidFormat`; `InvalidArgument` naming the settings that differ.
    pub fn restore(&mut self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluation_restore(self.raw(), folder.as_ptr()) })
    }

    /// P and S.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.prompt_count, self.sample_count / self.prompt_count.max(1))
    }

    pub(crate) fn raw(&self) -> *mut sys::mixgrpo_evaluation {
        self.handle.get()
    }
}
