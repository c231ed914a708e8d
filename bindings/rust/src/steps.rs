//! The time grid, single steps and their loss. Stateless; may be called from any thread.

use std::ptr::null;

use crate::border::{self, buffer, product, same_size};
use crate::configurations::LearningConfig;
use crate::enums::{Dynamics, LogProbability, Solver};
use crate::error::Result;
use crate::mirror::{Mirror, MirrorStruct};
use crate::structs::Step;
use crate::sys;

/// The time grid: `steps` + 1 noise levels from 1 to 0 exactly. `shift` and `image_tokens` as in
/// [`SamplingConfig`](crate::SamplingConfig).
///
/// ```
/// assert_eq!(mixgrpo::time_grid(2, 1.0, 0)?, [1.0, 0.5, 0.0]);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
pub fn time_grid(steps: i32, shift: f64, image_tokens: i32) -> Result<Vec<f64>> {
    let mut sigmas = buffer(usize::try_from(steps).unwrap_or(0).saturating_add(1))?;
    let (out, capacity) = (sigmas.as_mut_ptr(), sigmas.len());
    // SAFETY: all pointers are valid during the call.
    border::call(|| unsafe { sys::mixgrpo_time_grid(steps, shift, image_tokens, out, capacity) })?;
    Ok(sigmas)
}

/// Standard normal floats that depend only on (seed, stream, index): the same on every machine and in any order of calls.
/// Streams are the host's own and independent of everything that the library draws.
pub fn normal_noise(seed: u64, stream: u64, index: u64, out: &mut [f32]) -> Result<()> {
    // SAFETY: all pointers are valid during the call.
    border::call(|| unsafe { sys::mixgrpo_normal_noise(seed, stream, index, out.as_mut_ptr(), out.len()) })
}

impl Step {
    /// The stochastic step from `sigma` to `next_sigma`, 1 ≥ σ > next σ ≥ 0.
    ///
    /// # Errors
    /// `InvalidArgument` also when no real step exists there.
    pub fn stochastic(dynamics: Dynamics, noise_level: f64, sigma: f64, next_sigma: f64) -> Result<Self> {
        // SAFETY: the output is valid during the call.
        Self::read(|out| unsafe {
            sys::mixgrpo_stochastic_step(dynamics.to_raw(), noise_level, sigma, next_sigma, out)
        })
    }

    /// The deterministic step `index` of the time grid `sigmas` (strictly decreasing, from at most 1 to 0), its order
    /// lowered to what its place allows.
    pub fn deterministic(solver: Solver, sigmas: &[f64], index: usize) -> Result<Self> {
        // SAFETY: all pointers are valid during the call.
        Self::read(|out| unsafe {
            sys::mixgrpo_deterministic_step(solver.to_raw(), sigmas.as_ptr(), sigmas.len(), index, out)
        })
    }

    /// Log-probabilities (B) of transitions x → x′ of this stochastic step, in nats.
    ///
    /// `form`: any but `Guarded`. All arrays of `transitions`: (B, D).
    ///
    /// # Errors
    /// `InvalidArgument` for a step whose noise is 0.
    pub fn log_probabilities(&self, form: LogProbability, transitions: &Transitions<'_>) -> Result<Vec<f64>> {
        let batch = transitions.batch()?;
        let (step, mut out) = (self.to_raw(), buffer(batch)?);
        let &Transitions { latent_size, latents, velocity, next_latents } = transitions;
        let (latents, velocity, next) = (latents.as_ptr(), velocity.as_ptr(), next_latents.as_ptr());
        let (values, capacity) = (out.as_mut_ptr(), out.len());
        // SAFETY: all pointers are valid during the call, and of the sizes that `batch` checked.
        border::call(|| unsafe {
            let form = form.to_raw();
            sys::mixgrpo_step_log_probability(
                &step,
                form,
                latents,
                velocity,
                next,
                batch,
                latent_size,
                values,
                capacity,
            )
        })?;
        Ok(out)
    }
}

/// Transitions of one step: the latents before, the model's velocity, and the latents after.
#[derive(Clone, Copy, Debug)]
pub struct Transitions<'a> {
    /// D.
    pub latent_size: usize,
    /// x, (B, D).
    pub latents: &'a [f32],
    /// v at x, (B, D).
    pub velocity: &'a [f32],
    /// x′, (B, D).
    pub next_latents: &'a [f32],
}

impl Transitions<'_> {
    /// B, after a check that all arrays have its size.
    fn batch(&self) -> Result<usize> {
        let batch = self.latents.len() / self.latent_size.max(1);
        let size = product(&[batch, self.latent_size]);
        same_size("latents", size, self.latents.len())?;
        same_size("velocity", size, self.velocity.len())?;
        same_size("next_latents", size, self.next_latents.len())?;
        Ok(batch)
    }
}

/// The clipped policy loss of one stochastic step.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyLoss {
    /// The mean over the batch.
    pub loss: f64,
    /// r, (B).
    pub ratios: Vec<f64>,
    /// ∂L/∂velocity, (B, D).
    pub d_velocity: Vec<f32>,
}

/// The clipped policy loss of one stochastic step and its gradient (MixGRPO §3.1):
/// L = mean_B max(−A·r, −A·clip(r, 1 − ε, 1 + ε)) + the KL terms set in `config`.
///
/// `reference_velocity`: (B, D), needed when `kl_reference` is above 0. `old_log_probabilities`, `advantages`: (B). Step
/// weights are not applied: a single step has weight 1.
pub fn policy_loss(
    config: &LearningConfig, step: &Step, form: LogProbability, transitions: &Transitions<'_>,
    reference_velocity: Option<&[f32]>, old_log_probabilities: &[f64], advantages: &[f64],
) -> Result<PolicyLoss> {
    let batch = transitions.batch()?;
    let &Transitions { latent_size, latents, velocity, next_latents } = transitions;
    same_size("old_log_probabilities", batch, old_log_probabilities.len())?;
    same_size("advantages", batch, advantages.len())?;
    if let Some(reference) = reference_velocity {
        same_size("reference_velocity", latents.len(), reference.len())?;
    }
    let reference = reference_velocity.map_or(null(), <[f32]>::as_ptr);
    let (config, step, form) = (config.to_raw(), step.to_raw(), form.to_raw());
    let mut out = PolicyLoss { loss: 0.0, ratios: buffer(batch)?, d_velocity: buffer(latents.len())? };
    // SAFETY: all pointers are valid during the call, and of the sizes checked above.
    border::call(|| unsafe {
        sys::mixgrpo_policy_loss(
            &config,
            &step,
            form,
            latents.as_ptr(),
            velocity.as_ptr(),
            next_latents.as_ptr(),
            reference,
            old_log_probabilities.as_ptr(),
            advantages.as_ptr(),
            batch,
            latent_size,
            &mut out.loss,
            out.ratios.as_mut_ptr(),
            out.ratios.len(),
            out.d_velocity.as_mut_ptr(),
            out.d_velocity.len(),
        )
    })?;
    Ok(out)
}
