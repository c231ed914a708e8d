//! How to sample and how to learn.

use crate::border::{self, c_text};
use crate::enums::*;
use crate::error::Result;
use crate::mirror::{library_default, mirrored_struct, MirrorStruct};
use crate::sys;

mirrored_struct! {
    /// How samples are drawn. The window is w long and starts at l in 0…T − 1 − w: the last step is never in it.
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
    SamplingConfig = mixgrpo_sampling_config {
        /// T, steps from σ = 1 to 0. Default 25, 2…10000.
        steps: i32,
        /// s of σ = s·t/(1 + (s − 1)t), t = 1 − i/T; 1 for none. Default 3, above 0, at most 1000.
        shift: f64,
        /// When above 0: the shift that goes with this number of tokens, in place of `shift`. Default 0, 0…1000000.
        image_tokens: i32,
        /// The stochastic step. Default `Flow`.
        dynamics: Dynamics,
        /// η; for CPS the angle is η·π/2. Default 0.7, above 0, at most 10 (CPS: 1).
        noise_level: f64,
        /// How the window moves. Default `Progressive`.
        window_mode: WindowMode,
        /// w, steps. Default 4, 1…T − 1. Not used by `All`.
        window_length: i32,
        /// l of `Frozen`. Default 0, 0…T − 1 − w.
        window_start: i32,
        /// Steps the window moves at a time. Default 1, 1…1000000.
        window_stride: i32,
        /// τ, iterations between moves; for the decays the first, for `Adaptive` at most. Default 25, 1…1000000.
        window_interval: i32,
        /// The last interval of `LinearDecay`, iterations; for `Adaptive` iterations between moves at least. Default 1,
        /// 1…window_interval.
        window_minimum_interval: i32,
        /// At the end of the window's range. Default `RollBack`.
        window_at_end: WindowEnd,
        /// l₀ of `ExponentialDecay`, a step. Default 13, 0…1000000.
        window_decay_threshold: i32,
        /// k of `ExponentialDecay`, per step. Default 0.1, 0…100.
        window_decay_rate: f64,
        /// With `All`, the trained share of the stochastic steps. Default 1, above 0, at most 1.
        trained_fraction: f64,
        /// Which ones. Default `First`.
        trained_subset: TrainedSubset,
        /// Of the steps outside the window. Default `Euler`.
        solver: Solver,
        /// r̃ of MixGRPO-Flash: the R steps after the window become max(1, ⌊r̃·R⌋). Default 0 (all R steps), else above 0,
        /// at most 1. Not with `All`.
        flash_ratio: f64,
        /// Of these steps when `flash_ratio` is above 0. Default `Dpm2Midpoint`.
        flash_solver: Solver,
        /// G, images per prompt. Default 12, 2…4096.
        group_size: i32,
        /// Where the members of a group start. Default `Shared`.
        initial_noise: InitialNoise,
        /// Evaluate equal latents once; changes no result. Default true.
        exact_sharing: bool,
        /// What the ratio is made of. Default `Mean`.
        log_probability: LogProbability,
        /// How sigma is rounded before it is passed to the model. Default `Exact`.
        sigma_rounding: SigmaRounding,
        /// Of all random numbers of the run. Default 0.
        seed: u64,
        /// `Adaptive` moves when the reward gains less per iteration, in standard deviations of the reward. Default 0.01,
        /// −1000…1000.
        window_minimum_gain: f64,
        /// k, the iterations that `Adaptive` judges a gain over. Default 10, 2…1000000.
        window_trend: i32,
    }
}

mirrored_struct! {
    /// How the model learns: advantages, policy loss, optimizer.
    LearningConfig = mixgrpo_learning_config {
        /// How several rewards become one advantage. Default `AdvantageAggregation`.
        advantage_mode: AdvantageMode,
        /// Of the divisor. Default `Group`.
        std_scope: StdScope,
        /// How much each trained step counts. Default `Uniform`.
        step_weighting: StepWeighting,
        /// Minibatches, one optimizer step each. Default 4, 1…group_size.
        updates_per_iteration: i32,
        /// Of the learning rate. Default `Constant`.
        schedule: Schedule,
        /// Optimizer steps of linear rise from 0. Default 0, 0…1000000000.
        warmup_steps: i32,
        /// Optimizer steps until `Cosine` is at its minimum. Default 1000, 1…1000000000.
        total_steps: i32,
        /// `Cosine` ends at this share of `learning_rate`. Default 0, 0…1.
        min_rate_fraction: f64,
        /// Of AdamW, per step. Default 1e-5, 0…1000.
        learning_rate: f64,
        /// Decay of the first moment. Default 0.9, at least 0, below 1.
        beta1: f64,
        /// Decay of the second moment. Default 0.999, at least 0, below 1.
        beta2: f64,
        /// Added to the root of the second moment. Default 1e-8, above 0, at most 1.
        epsilon: f64,
        /// Decoupled, times learning rate. Default 1e-4, 0…1000.
        weight_decay: f64,
        /// Global norm the gradients are scaled down to; 0 for no limit. Default 1, 0…10¹².
        max_gradient_norm: f64,
        /// Share cut off each end of a group for mean and std. Default 0, at least 0, below 0.5.
        trim_fraction: f64,
        /// A group whose std is at most this share of its largest reward in magnitude gets advantage 0. Default 1e-6, 0…1.
        degenerate_tolerance: f64,
        /// Advantages are clipped to ± this; 0 for no limit. Default 5, 0…10⁶.
        advantage_clip: f64,
        /// The ratio is clipped to 1 ± this. Default 1e-4, above 0, below 1. With mean reduction D·clip_range nats of true
        /// log-ratio.
        clip_range: f64,
        /// Weight of the KL to a frozen reference; 0 for none. Default 0, 0…10⁶.
        kl_reference: f64,
        /// Weight of ½(log p − log p_old)²; 0 for none. Default 0, 0…10⁶.
        kl_old: f64,
        /// Decay per optimizer step of the averaged weights; 0 for none. Default 0, 0…1.
        ema_decay: f64,
        /// What a trainer's update does about a fault. Default `Stop`.
        fault_policy: FaultPolicy,
        /// Most that one iteration of a trainer may change the velocity of its first trained latent: the root mean square of the
        /// difference over that of the velocity, which counts as 1 at least; 0 for no limit. Default 1, 0…10⁶.
        max_velocity_change: f64,
        /// Of the learning rate at each `RollBack`. Default 0.5, above 0, at most 1.
        roll_back_rate_factor: f64,
        /// State left by a cancelled or failed update. Default `Memory`.
        undo: Undo,
    }
}

// SAFETY (both): the library writes one struct of the given size.
library_default!(SamplingConfig, |raw, size| unsafe { sys::mixgrpo_config_init(raw, size, std::ptr::null_mut(), 0) });
library_default!(LearningConfig, |raw, size| unsafe { sys::mixgrpo_config_init(std::ptr::null_mut(), 0, raw, size) });

impl SamplingConfig {
    /// Checks these settings by themselves.
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

/// The settings of a published method; seed and group size are the defaults:
///
/// * `"mixgrpo"`: the defaults
/// * `"mixgrpo_flash"`: `flash_ratio` 0.4
/// * `"mixgrpo_flash_star"`: `flash_ratio` 0.2, window frozen at 0
/// * `"flow_grpo"`: all steps `Flow` and trained, `kl_reference` 0.04 (arXiv 2505.05470)
/// * `"dance_grpo"`: all steps `Dance` with noise 0.3, a random 0.6 of them trained (arXiv 2505.07818)
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
