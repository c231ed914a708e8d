// cargo run --release --manifest-path bindings/rust/Cargo.toml --example quickstart -- examples/base
use mixgrpo::*;

fn main() -> mixgrpo::Result<()> {
    let lines = ["a red circle at the left", "a blue square in the middle"];
    let base = std::env::args().nth(1).unwrap_or("examples/base".into());
    let context = Context::new(0)?; // one thread per core
    let model = Model::load(&context, base)?;
    let text = TextShape { length: 16, width: 64, pooled_width: 64 };
    let prompts = Prompts::hashed_words(&context, &lines, text)?;
    let evaluator = Evaluator::new(&model, &EvaluatorConfig::default())?; // 8 × 8 image tokens
    let plan = Plan::new(&SamplingConfig { steps: 12, ..Default::default() })?; // the paper's MixGRPO
    let learning = LearningConfig { learning_rate: 2e-5, ..Default::default() };
    let mut trainer = Trainer::new(&evaluator, &prompts, &plan, &learning, &["darkness"], false)?;

    let codec = PixelCodec::new(32, 32, 4); // the reward: any code of yours, nothing need be differentiable
    let reward = |batch: &Batch| -> mixgrpo::Result<Vec<f64>> {
        Ok(codec.decode(batch.samples())?.chunks(codec.image_size()).map(darkness).collect())
    };
    for metrics in train(&mut trainer, reward).prompts_per_iteration(2).take(20) {
        let metrics = metrics?;
        println!("iteration {}: darkness {:.3}", metrics.iteration, metrics.reward_mean);
    }
    model.save("aligned", Storage::Bf16) // a diffusers folder
}

fn darkness(image: &[u8]) -> f64 {
    1.0 - image.iter().map(|byte| f64::from(*byte)).sum::<f64>() / (255.0 * image.len() as f64)
}
