//! How deterministic samples are drawn.

use crate::border::product;
use crate::configurations::SampleConfig;

impl SampleConfig<'_> {
    /// The number of values in (P, S, N, C).
    pub(crate) fn values(&self, prompt_indices: &[i32], latent_size: usize) -> usize {
        let samples = usize::try_from(self.samples_per_prompt).unwrap_or(0);
        product(&[prompt_indices.len(), samples, latent_size])
    }
}
