//! Grid, window, steps, work and memory of every iteration, before anything runs.

use std::ptr::null;

use crate::border::{optional, Handle};
use crate::error::Result;
use crate::mirror::{library_default, mirrored_struct, Mirror, MirrorStruct};
use crate::model::ModelConfig;
use crate::settings::{LearningConfig, SamplingConfig};
use crate::steps::Step;
use crate::sys;

mirrored_struct! {
    /// The window and the work of one iteration.
    IterationPlan = mixgrpo_iteration_plan {
        /// l; 0 with `All`.
        window_start: i32,
        /// w; T − 1 with `All`.
        window_length: i32,
        /// Steps in all, after Flash has shortened the tail.
        step_count: i32,
        /// Stochastic steps that the update trains.
        trained_step_count: i32,
        /// What papers count: without sharing, one for each step.
        model_calls_per_image: i32,
        /// Latents that the rollout evaluates, with sharing as set.
        rollout_model_calls: i64,
        /// Latents that the update evaluates forward and backward, if no sample is left out.
        update_model_calls: i64,
    }
}

mirrored_struct! {
    /// The size of a run, for predictions. `text_length` and the fields from `threads` on count for the built-in model alone.
    Workload = mixgrpo_workload {
        /// P per iteration, 1…1000000.
        prompt_count: i32,
        /// N, 1…65536.
        token_count: i32,
        /// C, 1…65536; the built-in model's `in_channels`.
        channels: i32,
        /// L, 1…65536.
        text_length: i32,
        /// Of the evaluator, 1…65536; of the host's own model: of [`Update::new`](crate::Update::new), 0 for no limit.
        max_batch: i32,
        /// Of the context, 1…1024.
        threads: i32,
        /// A frozen reference model is kept beside the trained one.
        keep_reference: bool,
        /// Of the evaluator.
        recompute_activations: bool,
        /// Of the evaluator; 0 for no limit.
        max_bytes: usize,
    }
}

mirrored_struct! {
    /// Predicted peak memory of one iteration, bytes. The model's parts are 0 when the host owns the model. The process itself
    /// comes on top: its code and tables, 10 to 20 MB before the first model, and the host's own.
    Memory = mixgrpo_memory {
        /// Samples in flight in an update; 0 without one, or when the host owns the model.
        update_batch: i32,
        /// Latents of the rollout and its stored window steps; with learning, also the update's.
        trajectory_bytes: usize,
        /// Weights; with learning, also gradients, moments, average, reference, and the copy that `Undo::Memory` keeps.
        weight_bytes: usize,
        /// Working memory of the evaluators.
        activation_bytes: usize,
        /// The sum.
        peak_bytes: usize,
    }
}

mirrored_struct! {
    /// Where a window of `WindowMode::Adaptive` stands. With a [`Trainer`](crate::Trainer) it is part of the trainer; a host
    /// that runs rollouts itself keeps it, and moves it with [`Plan::advance`].
    ///
    /// A line is fitted by least squares to the rewards of the iterations at this place, one of age a weighing
    /// (1 − 1/k)ᵃ, k = `window_trend`. The window moves when its slope is below `window_minimum_gain` standard deviations
    /// of the reward, after at least max(`window_minimum_interval`, k) and at most `window_interval` iterations.
    AdaptiveWindow = mixgrpo_adaptive_window {
        /// l.
        window_start: i32,
        /// At this place, those without a reward not counted.
        iterations: i64,
        /// At this place; r in the sums is the difference from it.
        first_reward: f64,
        /// Of w, w·a, w·a², w·r, w·a·r, w·s.
        sums: [f64; 6],
        /// Of the reward per iteration; NaN before two iterations.
        gain: f64,
    }
}

// SAFETY: the library writes one struct of the given size.
library_default!(AdaptiveWindow, |raw, size| unsafe { sys::mixgrpo_adaptive_window_init(raw, size) });

/// Settings of sampling and time grid, checked and immutable. Pure: everything it tells is a function of the settings.
///
/// ```
/// use mixgrpo::{Plan, SamplingConfig};
///
/// let plan = Plan::new(&SamplingConfig::default())?;
/// let first = plan.iteration(0, None, 4, 4)?; // four prompts, four minibatches
/// assert_eq!((first.window_start, first.window_length), (0, 4));
/// assert!(plan.step(0, None, 0)?.trained);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct Plan {
    handle: Handle<sys::mixgrpo_plan>,
    sampling: SamplingConfig,
}

impl Plan {
    /// Checks settings and makes a plan of them.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that is out of bounds or does not go with another.
    pub fn new(sampling: &SamplingConfig) -> Result<Self> {
        Self::create(sampling, None)
    }

    /// The same with the host's own time grid of T + 1 values, strictly decreasing, the first at most 1, the last 0, in place
    /// of `steps`, `shift` and `image_tokens`.
    pub fn with_sigmas(sampling: &SamplingConfig, sigmas: &[f64]) -> Result<Self> {
        Self::create(sampling, Some(sigmas))
    }

    fn create(sampling: &SamplingConfig, sigmas: Option<&[f64]>) -> Result<Self> {
        let (config, (grid, count)) = (sampling.to_raw(), optional(sigmas));
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_plan_create(&config, grid, count, out) })?;
        Ok(Self { handle, sampling: *sampling })
    }

    /// The settings it was made of.
    pub fn sampling(&self) -> &SamplingConfig {
        &self.sampling
    }

    /// G.
    pub(crate) fn group_size(&self) -> usize {
        usize::try_from(self.sampling.group_size).unwrap_or(0)
    }

    /// The window and the work of one iteration.
    ///
    /// `window_start`: the host's own l in 0…T − 1 − w, needed with `WindowMode::Given`; `None` for the plan's.
    /// `prompt_count`: P, 1…65536. `minibatches`: `updates_per_iteration` of the learning configuration, 1…4096.
    pub fn iteration(
        &self, iteration: i64, window_start: Option<u32>, prompt_count: i32, minibatches: i32,
    ) -> Result<IterationPlan> {
        let window = window_start.to_raw();
        // SAFETY: all pointers are valid during the call.
        IterationPlan::read(|out| unsafe {
            sys::mixgrpo_plan_get_iteration(self.raw(), iteration, window, prompt_count, minibatches, out)
        })
    }

    /// Step `index` of an iteration.
    pub fn step(&self, iteration: i64, window_start: Option<u32>, index: i32) -> Result<Step> {
        let window = window_start.to_raw();
        // SAFETY: all pointers are valid during the call.
        Step::read(|out| unsafe { sys::mixgrpo_plan_get_step(self.raw(), iteration, window, index, out) })
    }

    /// An adaptive window after an iteration at its place. An iteration that says nothing (a mean or standard deviation that
    /// is not finite, or no deviation) leaves it as it is.
    ///
    /// ```
    /// use mixgrpo::{AdaptiveWindow, Plan, SamplingConfig, WindowMode};
    ///
    /// let sampling = SamplingConfig { window_mode: WindowMode::Adaptive, window_trend: 2, ..Default::default() };
    /// let plan = Plan::new(&sampling)?;
    /// let mut window = AdaptiveWindow::default();
    /// for reward in [0.5, f64::NAN, 0.5] {
    ///     window = plan.advance(&window, reward, 0.1)?;
    /// }
    /// assert_eq!(window.window_start, 1); // two iterations without a gain
    /// # Ok::<(), mixgrpo::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a plan of another window mode, or a state that no run can be in.
    pub fn advance(&self, state: &AdaptiveWindow, reward_mean: f64, reward_std: f64) -> Result<AdaptiveWindow> {
        // SAFETY: all pointers are valid during the call.
        AdaptiveWindow::read(|out| unsafe {
            sys::mixgrpo_adaptive_window_advance(self.raw(), &state.to_raw(), reward_mean, reward_std, out)
        })
    }

    /// Predicted peak memory of an iteration. Without `learning`: the rollout alone. Without `model`: the host owns it.
    pub fn memory(
        &self, iteration: i64, window_start: Option<u32>, learning: Option<&LearningConfig>,
        model: Option<&ModelConfig>, workload: &Workload,
    ) -> Result<Memory> {
        let (learning, model) = (learning.map(MirrorStruct::to_raw), model.map(MirrorStruct::to_raw));
        let (window, workload) = (window_start.to_raw(), workload.to_raw());
        // SAFETY: all pointers are valid during the call, or NULL where that is allowed.
        Memory::read(|out| unsafe {
            let learning = learning.as_ref().map_or(null(), std::ptr::from_ref);
            let model = model.as_ref().map_or(null(), std::ptr::from_ref);
            sys::mixgrpo_plan_predict_memory(self.raw(), iteration, window, learning, model, &workload, out)
        })
    }

    pub(crate) fn raw(&self) -> *const sys::mixgrpo_plan {
        self.handle.get()
    }
}
