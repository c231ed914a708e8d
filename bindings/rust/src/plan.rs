//! Grid, window, steps, work and memory of every iteration, before anything runs.

use std::ptr::null;

use crate::border::{optional, Handle};
use crate::configurations::{LearningConfig, ModelConfig, SamplingConfig};
use crate::error::Result;
use crate::mirror::{Mirror, MirrorStruct};
use crate::structs::{AdaptiveWindow, IterationPlan, Memory, Step, Workload};
use crate::sys;

impl Default for AdaptiveWindow {
    /// The state at the start of a run.
    fn default() -> Self {
        Self { window_start: 0, iterations: 0, first_reward: 0.0, sums: [0.0; 6], gain: f64::NAN }
    }
}

/// Checked, immutable settings of sampling, with their time grid. Pure: every query depends only on the settings.
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
    /// Checks settings and creates a plan from them.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that is out of range or does not go with another.
    pub fn new(sampling: &SamplingConfig) -> Result<Self> {
        Self::create(sampling, None)
    }

    /// Creates a plan with the host's own time grid of T + 1 values, strictly decreasing, the first at most 1, the last 0.
    /// It replaces `steps`, `shift` and `image_tokens`.
    pub fn with_sigmas(sampling: &SamplingConfig, sigmas: &[f64]) -> Result<Self> {
        Self::create(sampling, Some(sigmas))
    }

    fn create(sampling: &SamplingConfig, sigmas: Option<&[f64]>) -> Result<Self> {
        let (config, (grid, count)) = (sampling.to_raw(), optional(sigmas));
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_plan_create(&config, grid, count, out) })?;
        Ok(Self { handle, sampling: *sampling })
    }

    /// The settings that this plan was created from.
    pub fn sampling(&self) -> &SamplingConfig {
        &self.sampling
    }

    /// G.
    pub(crate) fn group_size(&self) -> usize {
        usize::try_from(self.sampling.group_size).unwrap_or(0)
    }

    /// The window and the work of one iteration.
    ///
    /// `window_start`: the host's own l in 0…T − 1 − w, needed with `WindowMode::Given`; `None` for the scheduled
    /// window. `prompt_count`: P, 1…1000000. `minibatches`: `updates_per_iteration` of the learning configuration, 1…4096.
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

    /// The state of an adaptive window after an iteration at its place. Iterations without a usable signal (a mean or
    /// standard deviation that is not finite, or a standard deviation of 0) leave the state unchanged.
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
    /// `InvalidArgument` for a plan of another window mode, or an invalid state.
    pub fn advance(&self, state: &AdaptiveWindow, reward_mean: f64, reward_std: f64) -> Result<AdaptiveWindow> {
        // SAFETY: all pointers are valid during the call.
        AdaptiveWindow::read(|out| unsafe {
            sys::mixgrpo_adaptive_window_advance(self.raw(), &state.to_raw(), reward_mean, reward_std, out)
        })
    }

    /// Predicts the peak memory of an iteration: of the rollout only when `learning` is `None`, and for a model that the host
    /// owns when `model` is `None`.
    ///
    /// # Errors
    /// `OutOfMemory` when it is over `max_bytes`; the message names the bytes needed.
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
