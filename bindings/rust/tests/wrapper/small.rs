//! A small model, and everything that a run with it needs.

use std::path::PathBuf;

use mixgrpo::*;

pub const LINES: [&str; 3] = ["a red circle at the left", "a blue square at the top", "a green triangle"];
pub const GROUP: usize = 4;

pub fn sizes() -> ModelConfig {
    ModelConfig {
        in_channels: 12,
        out_channels: 12,
        num_layers: 1,
        num_single_layers: 1,
        attention_head_dim: 8,
        num_attention_heads: 2,
        joint_attention_dim: 6,
        pooled_projection_dim: 5,
        axes_dims_rope: [2, 2, 4],
        ..ModelConfig::default()
    }
}

/// Random weights everywhere, so that no output is trivially 0.
pub fn model(context: &Context) -> Model {
    let mut model = Model::new(context, &sizes(), 7).unwrap();
    let (mut weights, mut noise) = (model.weights().unwrap(), vec![0.0; model.weight_count().unwrap()]);
    normal_noise(3, 0, 0, &mut noise).unwrap();
    weights.iter_mut().zip(&noise).for_each(|(weight, noise)| *weight += 0.05 * noise);
    model.set_weights(0, &weights).unwrap();
    model
}

pub fn evaluator(model: &Model) -> Evaluator {
    let config =
        EvaluatorConfig { height_tokens: 2, width_tokens: 2, text_length: 4, max_batch: 8, ..Default::default() };
    Evaluator::new(model, &config).unwrap()
}

pub fn prompts(context: &Context) -> Prompts {
    Prompts::hashed_words(context, &LINES, TextShape { length: 4, width: 6, pooled_width: 5 }).unwrap()
}

pub fn sampling() -> SamplingConfig {
    SamplingConfig { steps: 6, window_length: 2, group_size: GROUP as i32, seed: 11, ..Default::default() }
}

pub fn learning() -> LearningConfig {
    LearningConfig { learning_rate: 1e-3, updates_per_iteration: 2, ..Default::default() }
}

pub fn plan() -> Plan {
    Plan::new(&sampling()).unwrap()
}

pub fn trainer(context: &Context) -> Trainer {
    let (model, prompts) = (model(context), prompts(context));
    Trainer::new(&evaluator(&model), &prompts, &plan(), &learning(), &["brightness"], true).unwrap()
}

pub fn brightness(batch: &Batch<'_>) -> Result<Vec<f64>> {
    let pixels = PixelCodec::new(4, 4, 2).decode(batch.samples())?;
    Ok(pixels.chunks(48).map(|image| image.iter().map(|byte| f64::from(*byte)).sum()).collect())
}

/// An empty folder for one test, removed with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mixgrpo-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
