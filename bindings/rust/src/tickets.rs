//! Iterations drawn as several rollouts, whose rewards may come later and from other threads.

use std::sync::Arc;

use crate::border::{self, buffer, optional, product, Handle};
use crate::enums::MissingRewards;
use crate::error::Result;
use crate::mirror::{Mirror, MirrorStruct};
use crate::structs::Metrics;
use crate::sys;
use crate::trainer::Trainer;

/// Methods of both trainers, the one with the built-in model and the one for the host's model. The type has the fields `handle`
/// and `reward_count`.
macro_rules! shared_methods {
    ($name:ident $(< $model:ident : $bound:ident >)?) => {
        impl $(<$model: $bound>)? $name $(<$model>)? {
            /// The iteration that the next rollout belongs to.
            pub fn iteration(&self) -> i64 {
                // SAFETY: the handle is alive.
                unsafe { $crate::sys::mixgrpo_trainer_iteration(self.raw()) }
            }

            /// Sets the host's own window for the rollouts to come, 0…T − 1 − w; `None` (the default) for the plan's scheduled
            /// window.
            pub fn set_window(&mut self, window_start: Option<u32>) -> $crate::Result<()> {
                // SAFETY: the handle is alive.
                $crate::border::call(|| unsafe { $crate::sys::mixgrpo_trainer_set_window(self.raw(), $crate::mirror::Mirror::to_raw(window_start)) })
            }

            /// Where other threads submit the rewards of tickets.
            pub fn inbox(&self) -> $crate::RewardInbox {
                $crate::RewardInbox::of(&self.handle)
            }

            /// Drops the iteration's tickets. No rewards are accepted for them any more.
            pub fn drop_tickets(&mut self) -> $crate::Result<()> {
                // SAFETY: the handle is alive.
                $crate::border::call(|| unsafe { $crate::sys::mixgrpo_trainer_drop_tickets(self.raw()) })
            }

            /// The latest iteration's figures.
            ///
            /// # Errors
            /// `InvalidState` before the first update.
            pub fn metrics(&self) -> $crate::Result<$crate::Metrics> {
                // SAFETY: all pointers are valid during the call.
                $crate::Metrics::read(|out| unsafe { $crate::sys::mixgrpo_trainer_get_metrics(self.raw(), out) })
            }

            /// The latest iteration's figures of each reward. Errors as in [`metrics`](Self::metrics).
            pub fn reward_metrics(&self) -> $crate::Result<Vec<$crate::RewardMetrics>> {
                (0..self.reward_count).map(|index| self.one_reward(index)).collect()
            }

            fn one_reward(&self, index: usize) -> $crate::Result<$crate::RewardMetrics> {
                // SAFETY: all pointers are valid during the call.
                $crate::RewardMetrics::read(|out| unsafe {
                    $crate::sys::mixgrpo_trainer_get_reward_metrics(self.raw(), index, out)
                })
            }

            /// The latest iteration's figures as one line of JSON, without line end. Errors as in [`metrics`](Self::metrics).
            pub fn metrics_json(&self) -> $crate::Result<String> {
                // SAFETY: all pointers are valid during the call.
                $crate::border::read_text(|text, capacity, size| unsafe {
                    $crate::sys::mixgrpo_trainer_get_metrics_json(self.raw(), text, capacity, size)
                })
            }

            /// Appends that line, with a line end, to a file.
            pub fn append_metrics(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                let path = $crate::border::c_path(path.as_ref())?;
                // SAFETY: all pointers are valid during the call.
                $crate::border::call(|| unsafe { $crate::sys::mixgrpo_trainer_append_metrics(self.raw(), path.as_ptr()) })
            }
        }
    };
}
pub(crate) use shared_methods;

/// Samples whose rewards may come later.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketedSamples {
    /// 1, 2, …; unique in the life of a trainer.
    pub ticket: i64,
    /// (P)
    pub prompts: Vec<i32>,
    /// (P, G, N, C) at σ = 0
    pub samples: Vec<f32>,
}

/// Accepts the rewards of a trainer's tickets, from any thread, in any order, also while the trainer draws or updates.
#[derive(Clone, Debug)]
pub struct RewardInbox {
    trainer: Arc<Handle<sys::mixgrpo_trainer>>,
}

impl RewardInbox {
    pub(crate) fn of(trainer: &Arc<Handle<sys::mixgrpo_trainer>>) -> Self {
        Self { trainer: Arc::clone(trainer) }
    }

    /// Submits the rewards of a ticket, once: (K, P, G), NaN for a reward that failed.
    ///
    /// Rewards that come during an update that excludes them count if that update fails or is cancelled.
    ///
    /// # Errors
    /// `InvalidArgument` for a wrong number of values; `InvalidState` for a ticket that has its rewards, or whose iteration is
    /// over.
    pub fn submit(&self, ticket: i64, rewards: &[f64]) -> Result<()> {
        let (raw, values, count) = (self.trainer.get(), rewards.as_ptr(), rewards.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_submit_rewards(raw, ticket, values, count) })
    }

    /// The iteration's tickets without rewards, in the order of their rollouts.
    pub fn open_tickets(&self) -> Result<Vec<i64>> {
        let raw = self.trainer.get();
        // SAFETY: all pointers are valid during the call.
        border::read_all(|out, capacity, size| unsafe {
            sys::mixgrpo_trainer_get_open_tickets(raw, out, capacity, size)
        })
    }
}

/// An iteration drawn as several rollouts, so that some samples are scored while others are drawn. The numbers are, to the
/// last bit, those of one rollout of all prompts in the order of the tickets.
///
/// ```no_run
/// use mixgrpo::*;
///
/// # fn score(samples: &[f32]) -> Vec<f64> { vec![0.0; 12] }
/// # fn f(trainer: &mut Trainer) -> mixgrpo::Result<()> {
/// let inbox = trainer.inbox();
/// std::thread::scope(|threads| -> mixgrpo::Result<()> {
///     let mut scorers = Vec::new();
///     for prompt in 0..4 {
///         let drawn = trainer.rollout_ticket(&[prompt])?; // while earlier samples are scored
///         let inbox = &inbox;
///         scorers.push(threads.spawn(move || inbox.submit(drawn.ticket, &score(&drawn.samples))));
///     }
///     scorers.into_iter().try_for_each(|scorer| scorer.join().expect("a score"))
/// })?;
/// let metrics = trainer.update_tickets(MissingRewards::Refuse, None)?;
/// # Ok(())
/// # }
/// ```
impl Trainer {
    /// Samples a group for each of P prompts as one of the iteration's rollouts, with a ticket for its rewards. A rollout without a
    /// ticket that no update followed is dropped; while there are tickets, `rollout` and `update` fail with `InvalidState`.
    ///
    /// # Errors
    /// `InvalidArgument` for a prompt that has a ticket in this iteration, and when the window was changed since the
    /// iteration's first ticket.
    pub fn rollout_ticket(&mut self, prompt_indices: &[i32]) -> Result<TicketedSamples> {
        let prompts = prompt_indices[self.share(prompt_indices.len())].to_vec();
        let mut samples: Vec<f32> = buffer(product(&[prompts.len(), self.group_size(), self.latent_size()]))?;
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.read()?);
        let (raw, indices, count) = (self.raw(), prompt_indices.as_ptr(), prompt_indices.len());
        let (out, capacity, mut ticket) = (samples.as_mut_ptr(), samples.len(), 0);
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            sys::mixgrpo_trainer_rollout_ticket(raw, indices, count, out, capacity, &mut ticket)
        })?;
        Ok(TicketedSamples { ticket, prompts, samples })
    }

    /// Trains on the iteration's tickets and moves to the next iteration, which closes them. Otherwise as in
    /// [`update`](Self::update).
    ///
    /// # Errors
    /// `InvalidState` without a ticket, or naming those without rewards.
    pub fn update_tickets(&mut self, missing: MissingRewards, weights: Option<&[f64]>) -> Result<Metrics> {
        let (_memory, _model) = (self.evaluator.memory.change()?, self.evaluator.model.weights.change()?);
        let (raw, missing, (weights, weight_count)) = (self.raw(), missing.to_raw(), optional(weights));
        // SAFETY: all pointers are valid during the call.
        Metrics::read(|out| unsafe { sys::mixgrpo_trainer_update_tickets(raw, missing, weights, weight_count, out) })
    }
}
