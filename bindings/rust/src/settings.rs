//! Presets, checks and descriptions of the settings of sampling and learning.

use crate::border::{self, c_text};
use crate::configurations::{LearningConfig, SamplingConfig};
use crate::error::Result;
use crate::mirror::MirrorStruct;
use crate::sys;

impl SamplingConfig {
    /// Checks these settings by themselves.
    ///
    /// ```
    /// use mixgrpo::{SamplingConfig, Solver};
    ///
    /// let sampling = SamplingConfig { steps: 12, solver: Solver::Dpm2Midpoint, ..SamplingConfig::default() };
    /// sampling.check()?;
    /// let refused = SamplingConfig { steps: 1, ..sampling }.check().unwrap_err();
    /// assert!(refused.message().contains("steps"), "{refused}");
    /// # Ok::<(), mixgrpo::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that is wrong.
    pub fn check(&self) -> Result<()> {
        // SAFETY: the struct is valid during the call, the other may be NULL.
        border::call(|| unsafe { sys::mixgrpo_config_check(&self.to_raw(), std::ptr::null()) })
    }
}

impl LearningConfig {
    /// Checks these settings by themselves.
    ///
    /// # Errors
    /// `InvalidArgument` naming every field that is wrong.
    pub fn check(&self) -> Result<()> {
        // SAFETY: the struct is valid during the call, the other may be NULL.
        border::call(|| unsafe { sys::mixgrpo_config_check(std::ptr::null(), &self.to_raw()) })
    }
}

/// The settings of a preset, a published method or those for a person as the reward; seed and group size are the defaults:
///
/// * `"mixgrpo"`: the defaults
/// * `"mixgrpo_flash"`: `flash_ratio` 0.4
/// * `"mixgrpo_flash_star"`: `flash_ratio` 0.2, window frozen at 0
/// * `"flow_grpo"`: all steps `Flow` and trained, `kl_reference` 0.04 (arXiv 2505.05470)
/// * `"dance_grpo"`: all steps `Dance` with noise 0.3, a random 0.6 of them trained (arXiv 2505.07818)
/// * `"person"`: the fewest votes: 12 steps, `window_length` 2, `learning_rate` 2e-4
///
/// ```
/// let (sampling, learning) = mixgrpo::preset("flow_grpo")?;
/// assert_eq!(sampling.window_mode, mixgrpo::WindowMode::All);
/// assert_eq!(learning.kl_reference, 0.04);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
///
/// # Errors
/// `InvalidArgument` for another name.
pub fn preset(name: &str) -> Result<(SamplingConfig, LearningConfig)> {
    let name = c_text(name, "name")?;
    let (mut sampling, mut learning) = (SamplingConfig::default().to_raw(), LearningConfig::default().to_raw());
    // SAFETY: name and outputs are valid during the call.
    border::call(|| unsafe { sys::mixgrpo_config_init_preset(name.as_ptr(), &mut sampling, &mut learning) })?;
    Ok((SamplingConfig::from_raw(&sampling)?, LearningConfig::from_raw(&learning)?))
}

/// The names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    // SAFETY: the names are static, NULL beyond the last.
    (0..).map_while(|index| unsafe { border::static_text(sys::mixgrpo_preset_name(index)) })
}

/// Checks both configurations and how they go together.
///
/// # Errors
/// `InvalidArgument` naming every field that is wrong.
pub fn check(sampling: &SamplingConfig, learning: &LearningConfig) -> Result<()> {
    // SAFETY: both structs are valid during the call.
    border::call(|| unsafe { sys::mixgrpo_config_check(&sampling.to_raw(), &learning.to_raw()) })
}

/// Describes in lines of "field = value" what the configurations will really do: settings in force, first windows, model
/// calls per image.
///
/// # Errors
/// As [`check`].
pub fn describe(sampling: &SamplingConfig, learning: &LearningConfig) -> Result<String> {
    let (sampling, learning) = (sampling.to_raw(), learning.to_raw());
    // SAFETY: structs and buffer are valid during the call.
    border::read_text(|text, capacity, size| unsafe {
        sys::mixgrpo_config_describe(&sampling, &learning, text, capacity, size)
    })
}
