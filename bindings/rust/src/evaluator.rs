//! Velocity and backward of the built-in model.

use std::ptr::null_mut;
use std::sync::Arc;

use crate::border::{self, buffer, optional, product, same_size, Handle};
use crate::configurations::{EvaluatorConfig, SampleConfig};
use crate::error::Result;
use crate::guarded::Guarded;
use crate::mirror::{Mirror, MirrorStruct};
use crate::model::{Model, ModelShared};
use crate::prompts::Prompts;
use crate::sys;

/// A model prepared for one image size, with its working memory. Several evaluators may share one model.
///
/// ```
/// use mixgrpo::{Context, Evaluator, EvaluatorConfig, Model, ModelConfig, Prompts, TextShape};
///
/// let context = Context::new(1)?;
/// let model = Model::new(&context, &ModelConfig { num_layers: 1, num_single_layers: 0, ..ModelConfig::default() }, 1)?;
/// let geometry = EvaluatorConfig { height_tokens: 2, width_tokens: 2, text_length: 4, ..EvaluatorConfig::default() };
/// let mut evaluator = Evaluator::new(&model, &geometry)?;
/// let shape = TextShape { length: 4, width: 64, pooled_width: 64 };
/// let prompts = Prompts::hashed_words(&context, &["a red circle"], shape)?;
///
/// let latents = vec![0.1; evaluator.latent_size()]; // one latent of 2 × 2 tokens
/// let velocity = evaluator.velocity(&prompts, &latents, &[0.5], &[0], true)?;
/// evaluator.backward(&vec![1.0; velocity.len()])?; // adds to the model's gradients
/// assert!(model.gradients()?.iter().any(|gradient| *gradient != 0.0));
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct Evaluator {
    handle: Handle<sys::mixgrpo_evaluator>,
    pub(crate) shared: Arc<EvaluatorShared>,
}

/// What an evaluator shares with its trainers.
#[derive(Debug)]
pub(crate) struct EvaluatorShared {
    pub(crate) memory: Guarded,
    pub(crate) model: Arc<ModelShared>,
    pub(crate) latent_size: usize,
    velocity_size: usize,
}

impl Evaluator {
    /// Creates an evaluator on the context of the model, with the usual positions (0, row, column) of the image tokens.
    pub fn new(model: &Model, config: &EvaluatorConfig) -> Result<Self> {
        Self::create(model, config, None)
    }

    /// Creates an evaluator with the host's own positions of the image tokens, (N, 3).
    pub fn with_image_ids(model: &Model, config: &EvaluatorConfig, image_ids: &[f32]) -> Result<Self> {
        Self::create(model, config, Some(image_ids))
    }

    fn create(model: &Model, config: &EvaluatorConfig, image_ids: Option<&[f32]>) -> Result<Self> {
        let (config, (ids, id_count)) = (config.to_raw(), optional(image_ids));
        let alone = model.shared.weights.change()?;
        // SAFETY: all pointers are valid during the call.
        let create =
            |out: *mut *mut _| unsafe { sys::mixgrpo_evaluator_create(model.raw(), &config, ids, id_count, out) };
        let handle = Handle::create(create)?;
        drop(alone);
        // SAFETY: the handle is alive.
        let latent_size = unsafe { sys::mixgrpo_evaluator_latent_size(handle.get()) };
        let sizes = model.config()?;
        let tokens = latent_size / usize::try_from(sizes.in_channels).unwrap_or(1).max(1);
        let velocity_size = tokens * usize::try_from(sizes.out_channels).unwrap_or(0);
        let (memory, model) = (Guarded::new("evaluator"), Arc::clone(&model.shared));
        Ok(Self { handle, shared: Arc::new(EvaluatorShared { memory, model, latent_size, velocity_size }) })
    }

    /// The number D = N·C of values in one latent.
    pub fn latent_size(&self) -> usize {
        self.shared.latent_size
    }

    /// Evaluates the velocity dx/dσ at B latents, (B, N, C) with C the `out_channels`.
    ///
    /// `latents`: (B, N, C); `sigmas`: (B), each in [0, 1]; `prompt_index`: (B), each a prompt of `prompts`.
    /// `keep_activations` keeps what [`backward`](Self::backward) needs, until the next call that evaluates.
    ///
    /// # Errors
    /// `InvalidArgument` when the prompts' length or widths do not fit, or when B is over `max_batch` and activations are
    /// to be kept; `NotFinite` when a velocity would not be finite.
    pub fn velocity(
        &mut self, prompts: &Prompts, latents: &[f32], sigmas: &[f32], prompt_index: &[i32], keep_activations: bool,
    ) -> Result<Vec<f32>> {
        let mut out = buffer(product(&[sigmas.len(), self.shared.velocity_size]))?;
        self.velocity_into(prompts, latents, sigmas, prompt_index, keep_activations, &mut out)?;
        Ok(out)
    }

    /// Evaluates the velocity into the host's own buffer.
    pub fn velocity_into(
        &mut self, prompts: &Prompts, latents: &[f32], sigmas: &[f32], prompt_index: &[i32], keep_activations: bool,
        out: &mut [f32],
    ) -> Result<()> {
        let batch = sigmas.len();
        same_size("latents", product(&[batch, self.latent_size()]), latents.len())?;
        same_size("prompt_index", batch, prompt_index.len())?;
        let shared = Arc::clone(&self.shared);
        let (_memory, _model) = (shared.memory.change()?, shared.model.weights.read()?);
        let (raw, keep) = (self.raw(), keep_activations.to_raw());
        let (latents, sigmas, prompt_index) = (latents.as_ptr(), sigmas.as_ptr(), prompt_index.as_ptr());
        let (out, capacity) = (out.as_mut_ptr(), out.len());
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        border::call(|| unsafe {
            let prompts = prompts.raw();
            sys::mixgrpo_evaluator_velocity(raw, prompts, latents, sigmas, prompt_index, batch, keep, out, capacity)
        })
    }

    /// Runs the backward of the latest velocity, which must have kept its activations: adds ∂L/∂weights to the model's
    /// gradients. `d_velocity`: ∂L/∂velocity, (B, N, C).
    ///
    /// # Errors
    /// `InvalidState` without kept activations. They are used up by the call.
    pub fn backward(&mut self, d_velocity: &[f32]) -> Result<()> {
        self.run_backward(d_velocity, null_mut(), 0)
    }

    /// Runs the backward and also writes ∂L/∂latents, (B, N, C).
    pub fn backward_to_latents(&mut self, d_velocity: &[f32], d_latents: &mut [f32]) -> Result<()> {
        self.run_backward(d_velocity, d_latents.as_mut_ptr(), d_latents.len())
    }

    fn run_backward(&mut self, d_velocity: &[f32], out: *mut f32, capacity: usize) -> Result<()> {
        let (_memory, _model) = (self.shared.memory.change()?, self.shared.model.weights.change()?);
        let (raw, values, count) = (self.raw(), d_velocity.as_ptr(), d_velocity.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_evaluator_backward(raw, values, count, out, capacity) })
    }

    /// Draws S deterministic samples for each of P prompts, (P, S, N, C) at σ = 0. The noise depends on seed, place in
    /// `prompt_indices` and number of the sample only, so two models can be compared on the same noise.
    ///
    /// `base`: evaluator of the base model, needed when `trained_model_share` is below 1. `prompt_indices`: (P), of
    /// `prompts`, repetitions allowed. `initial_noise`: the host's own, (P, S, N, C).
    pub fn sample(
        &mut self, base: Option<&mut Evaluator>, prompts: &Prompts, config: &SampleConfig, prompt_indices: &[i32],
        initial_noise: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let mut out: Vec<f32> = buffer(config.values(prompt_indices, self.latent_size()))?;
        let (_memory, _model) = (self.shared.memory.change()?, self.shared.model.weights.read()?);
        let other = base.as_ref().map(|base| Arc::clone(&base.shared));
        let _other = other.as_ref().map(|base| Ok((base.memory.change()?, base.model.weights.read()?))).transpose()?;
        let (raw, base, config) = (self.raw(), base.map_or(null_mut(), |base| base.raw()), config.to_raw());
        let (indices, number, (noise, noise_count)) =
            (prompt_indices.as_ptr(), prompt_indices.len(), optional(initial_noise));
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            let (prompts, samples, capacity) = (prompts.raw(), out.as_mut_ptr(), out.len());
            sys::mixgrpo_evaluator_sample(
                raw,
                base,
                prompts,
                &config,
                indices,
                number,
                noise,
                noise_count,
                samples,
                capacity,
            )
        })?;
        Ok(out)
    }

    pub(crate) fn raw(&self) -> *mut sys::mixgrpo_evaluator {
        self.handle.get()
    }
}
