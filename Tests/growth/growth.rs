//! growth.c through the Rust crate.

use mixgrpo::*;

extern "C" {
    fn growth_measure();
}

fn measure() {
    // SAFETY: it takes nothing and keeps nothing.
    unsafe { growth_measure() }
}

fn evaluator(context: &Context) -> Result<Evaluator> {
    let sizes = ModelConfig {
        in_channels: 4,
        out_channels: 4,
        num_layers: 1,
        num_single_layers: 1,
        attention_head_dim: 8,
        num_attention_heads: 2,
        joint_attention_dim: 6,
        pooled_projection_dim: 5,
        axes_dims_rope: [2, 2, 4],
        ..Default::default()
    };
    let mut model = Model::new(context, &sizes, 1)?;
    let mut weights = vec![0.0; model.weight_count()?];
    normal_noise(7, 1, 2, &mut weights)?;
    weights.iter_mut().for_each(|weight| *weight *= 0.2);
    model.set_weights(0, &weights)?;
    let geometry =
        EvaluatorConfig { height_tokens: 2, width_tokens: 2, text_length: 3, max_batch: 3, ..Default::default() };
    Evaluator::new(&model, &geometry)
}

fn live_once(
    evaluator: &Evaluator, prompts: &Prompts, plan: &Plan, learning: &LearningConfig, folder: &std::path::Path,
) -> Result<()> {
    let mut trainer = Trainer::new(evaluator, prompts, plan, learning, &["taste", "match"], false)?;
    let samples = trainer.rollout(&[2, 0])?;
    let first: Vec<f64> = samples.chunks(trainer.latent_size()).map(|latent| f64::from(latent[0])).collect();
    let rewards: Vec<f64> = first.iter().copied().chain(first.iter().map(|value| -value.abs())).collect();
    trainer.update(&rewards, None)?;
    trainer.save(folder)?;
    trainer.restore(folder)?;
    assert_eq!(trainer.rollout(&[]).unwrap_err().status(), Status::InvalidArgument);
    Image::new(&[0; 12], 2, 2)?;
    Ok(())
}

fn main() -> Result<()> {
    let iterations: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300);
    let folder = std::env::temp_dir().join("growth");
    let context = Context::new(2)?;
    let evaluator = evaluator(&context)?;
    let lines = ["a red circle", "a blue square", "two greens", "night"];
    let prompts = Prompts::hashed_words(&context, &lines, TextShape { length: 3, width: 6, pooled_width: 5 })?;
    let sampling = SamplingConfig { steps: 5, window_length: 2, group_size: 4, ..Default::default() };
    let plan = Plan::new(&sampling)?;
    // All iterations train one model.
    let learning = LearningConfig { learning_rate: 1e-9, updates_per_iteration: 2, ..Default::default() };
    for iteration in 0..iterations {
        if iteration == iterations / 10 {
            measure();
        }
        live_once(&evaluator, &prompts, &plan, &learning, &folder)?;
    }
    measure();
    Ok(())
}
