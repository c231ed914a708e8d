//! The whole pipeline in one program. The C, C++, Python, Rust and Swift versions print the same lines, to the last bit.
//!
//! conformance MODEL FOLDER: the base model's folder, and a folder for the checkpoint. Numbers are printed as their bits in
//! hexadecimal, arrays as the 64-bit FNV-1a hash of their bytes.
use mixgrpo::*;

const D: usize = 8;
const GROUP: usize = 4;
const LINES: [&str; 2] = ["a red circle at the left", "a blue square in the middle"];

fn hash_of(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn hash_of_floats(values: &[f32]) -> u64 {
    hash_of(values.iter().flat_map(|value| value.to_le_bytes()))
}

fn hash_of_doubles(values: &[f64]) -> u64 {
    hash_of(values.iter().flat_map(|value| value.to_le_bytes()))
}

/// Windows, work and every coefficient of the published methods.
fn plans() -> Result<()> {
    for name in preset_names() {
        let plan = Plan::new(&preset(name)?.0)?;
        for iteration in [0, 40] {
            let work = plan.iteration(iteration, None, LINES.len() as i32, 1)?;
            let mut coefficients = Vec::new();
            for index in 0..work.step_count {
                let step = plan.step(iteration, None, index)?;
                coefficients.extend([step.sigma, step.next_sigma, step.latent, step.velocity]);
                coefficients.extend([step.history[0], step.history[1], step.noise]);
            }
            println!(
                "plan {name} {iteration}: window {}+{}, {} steps, {} trained, {} calls, {:016x}",
                work.window_start,
                work.window_length,
                work.step_count,
                work.trained_step_count,
                work.rollout_model_calls,
                hash_of_doubles(&coefficients)
            );
        }
    }
    Ok(())
}

/// The host's own model, with one weight: velocity = weight·h − prompt / 8 with h = latent / 2 + σ.
fn answer(weight: f32, batch: &LatentBatch) -> (Vec<f32>, Vec<f32>) {
    let (sigmas, prompts) = (batch.sigmas(), batch.prompt_index());
    let h: Vec<f32> = batch.latents().iter().enumerate().map(|(i, latent)| 0.5 * latent + sigmas[i / D]).collect();
    let velocity = h.iter().enumerate().map(|(i, h)| weight * h - 0.125 * prompts[i / D] as f32).collect();
    (h, velocity)
}

fn rollout_and_update_by_hand(context: &Context) -> Result<()> {
    let sampling =
        SamplingConfig { steps: 6, window_length: 2, group_size: GROUP as i32, seed: 11, ..Default::default() };
    let learning = LearningConfig { updates_per_iteration: 2, clip_range: 0.05, ..Default::default() };
    let config = RolloutConfig { iteration: 30, latent_size: D, ..Default::default() };
    let mut weight = 0.75_f32;
    let mut rollout = Rollout::new(context, &Plan::new(&sampling)?, &config, &[3, 1])?;
    while let Some(request) = rollout.next_request()? {
        let (_, velocity) = answer(weight, &request);
        request.submit(&velocity)?;
    }
    let samples = rollout.samples()?;
    println!("samples {:016x}", hash_of_floats(&samples));

    let mut rewards = vec![0.0; samples.len() / D];
    samples.iter().enumerate().for_each(|(i, value)| rewards[i / D] += f64::from(*value));
    let advantages = Advantages::new(&learning, &rewards, LINES.len(), GROUP, None)?;
    println!("advantages {:016x}", hash_of_doubles(&advantages.values));
    let mut update = Update::new(&rollout, &learning, &advantages, 0)?;
    let mut gradient = 0.0;
    while let Some(request) = update.next_request()? {
        match request {
            UpdateRequest::OptimizerStep { .. } => {
                weight = (f64::from(weight) - 0.5 * gradient) as f32;
                gradient = 0.0;
                println!("weight {:016x}", f64::from(weight).to_bits());
            }
            UpdateRequest::Evaluate(evaluation) => {
                let (h, velocity) = answer(weight, &evaluation);
                let d_velocity = evaluation.submit(&velocity, None)?;
                d_velocity.iter().zip(&h).for_each(|(c, h)| gradient += f64::from(*c) * f64::from(*h));
                println!("d_velocity {:016x}", hash_of_floats(&d_velocity));
            }
        }
    }
    let seen = update.statistics()?;
    let (loss, first, most) = (seen.loss.to_bits(), seen.first_ratio_min.to_bits(), seen.ratio_max.to_bits());
    println!("loss {loss:016x}, ratios {first:016x} {most:016x}");
    Ok(())
}

struct Training {
    model: Model,
    trainer: Trainer,
}

fn begin(context: &Context, base: &str) -> Result<Training> {
    let model = Model::load(context, base)?;
    let prompts = Prompts::hashed_words(context, &LINES, TextShape { length: 16, width: 64, pooled_width: 64 })?;
    let evaluator = Evaluator::new(&model, &EvaluatorConfig { text_length: 16, ..Default::default() })?;
    let (sampling, learning) = preset("mixgrpo_flash")?;
    let sampling = SamplingConfig { steps: 6, window_length: 2, group_size: GROUP as i32, seed: 5, ..sampling };
    let learning = LearningConfig { updates_per_iteration: 2, learning_rate: 1e-4, ..learning };
    let trainer = Trainer::new(&evaluator, &prompts, &Plan::new(&sampling)?, &learning, &["darkness"], false)?;
    Ok(Training { model, trainer })
}

fn score(pixels: &[u8]) -> Vec<f64> {
    let images = pixels.chunks(codec().image_size());
    images.map(|image| 1.0 - image.iter().map(|b| f64::from(*b)).sum::<f64>() / (255.0 * image.len() as f64)).collect()
}

fn codec() -> PixelCodec {
    PixelCodec::new(32, 32, 4)
}

fn report(what: &str, metrics: &Metrics) {
    let figures = [metrics.reward_mean, metrics.loss, metrics.gradient_norm].map(f64::to_bits);
    let [reward, loss, gradient] = figures;
    println!("{what} {}: reward {reward:016x}, loss {loss:016x}, gradient {gradient:016x}", metrics.iteration);
}

impl Training {
    fn iterate(&mut self, what: &str) -> Result<Vec<u8>> {
        let pixels = codec().decode(&self.trainer.rollout(&[0, 1])?)?;
        report(what, &self.trainer.update(&score(&pixels), None)?);
        println!("{what} weights {:016x}", hash_of_floats(&self.model.weights()?));
        Ok(pixels)
    }

    fn iterate_with_tickets(&mut self) -> Result<()> {
        let mut rollouts = Vec::new();
        for prompt in [1, 0] {
            let drawn = self.trainer.rollout_ticket(&[prompt])?;
            println!("ticket {} {:016x}", drawn.ticket, hash_of_floats(&drawn.samples));
            rollouts.push(drawn);
        }
        let inbox = self.trainer.inbox();
        for drawn in rollouts.iter().rev() {
            inbox.submit(drawn.ticket, &score(&codec().decode(&drawn.samples)?))?;
        }
        report("tickets", &self.trainer.update_tickets(MissingRewards::Refuse, None)?);
        Ok(())
    }
}

fn picture(pixels: &[u8]) -> Result<()> {
    let grid = Grid { columns: GROUP as i32, gap: 2, scale: 1 };
    let mut image = Image::grid(pixels, LINES.len() * GROUP, 32, 32, grid)?;
    image.set_texts(&[("prompt", LINES[0])])?;
    let png = image.encode()?;
    println!("png {} bytes {:016x}", png.len(), hash_of(png.iter().copied()));
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, folder] = &arguments[..] else {
        eprintln!("usage: conformance MODEL FOLDER");
        std::process::exit(2);
    };
    let context = Context::new(2)?;
    plans()?;
    rollout_and_update_by_hand(&context)?;
    let mut first = begin(&context, base)?;
    first.iterate_with_tickets()?;
    first.trainer.save(folder)?;
    first.iterate("trained")?;
    let mut second = begin(&context, base)?;
    second.trainer.restore(folder)?;
    let pixels = second.iterate("resumed")?;
    picture(&pixels)
}
