//! How deterministic samples are drawn.

use crate::border::product;
use crate::enums::{SigmaRounding, Solver};
use crate::mirror::{library_default, mirrored_struct};
use crate::sys;

mirrored_struct! {
    /// How deterministic samples are drawn, for evaluation and inference.
    SampleConfig = mixgrpo_sample_config {
        /// T. Default 25, 1…10000.
        steps: i32,
        /// Of all steps. Default `Euler`.
        solver: Solver,
        /// S. Default 1, 1…4096.
        samples_per_prompt: i32,
        /// Of the time grid. Default 3, above 0, at most 1000.
        shift: f64,
        /// As in `SamplingConfig`. Default 0.
        image_tokens: i32,
        /// How sigma is rounded before it is passed to the model. Default `Exact`.
        sigma_rounding: SigmaRounding,
        /// p_mix of hybrid inference (MixGRPO §5): this share of the steps, rounded to the nearest and counted from σ = 1,
        /// uses the given model, the rest the base. Default 1, 0…1.
        trained_model_share: f64,
        /// Of the initial noise. Default 0.
        seed: u64,
    }
}

// SAFETY: the library writes one struct of the given size.
library_default!(SampleConfig, |raw, size| unsafe { sys::mixgrpo_sample_config_init(raw, size) });

impl SampleConfig {
    /// The number of values in (P, S, N, C).
    pub(crate) fn values(&self, prompt_indices: &[i32], latent_size: usize) -> usize {
        let samples = usize::try_from(self.samples_per_prompt).unwrap_or(0);
        product(&[prompt_indices.len(), samples, latent_size])
    }
}
