//! Aligns a flow model with a reward of this program's own: pictures taken at night.
//!
//! The model draws groups of pictures of a small procedural world (world.rs), this program scores them, and the library
//! updates the model with MixGRPO. The captions never mention the sky, so a model can earn the reward and still follow its
//! prompts. How well it follows them is measured too, but never trained. The same program in C, C++, Python and Swift gives
//! the same numbers to the last bit.
//!
//!     cargo run --release --example align -- --model examples/base --out out
//!
//! Writes to the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the model,
//! aligned/. Ctrl-C ends the training early and keeps the result.

mod options;
mod world;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use mixgrpo::*;
use options::Options;

const STEPS: i32 = 16; // from noise to picture
const PROMPTS: i64 = 4; // in an iteration
const EVALUATED_PER_PROMPT: usize = 2; // the fixed evaluation set: pictures of every prompt
const EVALUATION_SEED: u64 = 2024;
const COLUMNS: usize = 10; // of before.png and after.png

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Clone, Copy)]
struct Scores {
    taste: f64,
    prompt_match: f64,
}

fn codec() -> PixelCodec {
    PixelCodec::new(world::SIZE as i32, world::SIZE as i32, 4)
}

/// The reward: how much a picture looks taken at night, in [0, 1]. Each pixel of the outermost two rows and columns earns one
/// of 16 points for every 32 steps of colour by which it is closer than 512 to the night sky. Counting has no derivative, and
/// none is needed. The maximum lies inside the world: pure black earns less than night.
fn night_taste(rgb: &[u8]) -> f64 {
    let is_frame = |place: usize| !(2..world::SIZE - 2).contains(&place);
    let (mut points, mut counted) = (0, 0);
    for (index, pixel) in rgb.chunks_exact(3).enumerate() {
        if is_frame(index / world::SIZE) || is_frame(index % world::SIZE) {
            let distances = pixel.iter().zip(world::NIGHT).map(|(colour, night)| (i32::from(*colour) - night).abs());
            points += 16 - (distances.sum::<i32>() / 32).min(16);
            counted += 1;
        }
    }
    f64::from(points) / (16.0 * f64::from(counted))
}

fn create_trainer(context: &Context, options: &Options) -> mixgrpo::Result<Trainer> {
    let model = Model::load(context, &options.model)?;
    let captions: Vec<String> = (0..world::PROMPTS).map(world::caption).collect();
    let text = TextShape { length: 16, width: 64, pooled_width: 64 };
    let prompts = Prompts::hashed_words(context, &captions, text)?;
    let side = codec().height / codec().patch;
    let geometry = EvaluatorConfig { height_tokens: side, width_tokens: side, text_length: 16, ..Default::default() };
    let sampling = SamplingConfig {
        steps: STEPS,
        group_size: 12,
        window_mode: WindowMode::Frozen,
        initial_noise: InitialNoise::Own, // the noise decides the sky, so the rewards of a group differ more
        seed: options.seed,
        ..Default::default()
    };
    let learning = LearningConfig { learning_rate: options.learning_rate, ..Default::default() };
    let evaluator = Evaluator::new(&model, &geometry)?;
    Trainer::new(&evaluator, &prompts, &Plan::new(&sampling)?, &learning, &["night_taste"], false)
}

/// Draws the evaluation set deterministically, always from the same noise, and saves a grid of some of it.
fn evaluate(trainer: &mut Trainer, steps: i32, grid: &Path) -> mixgrpo::Result<Scores> {
    let samples_per_prompt = EVALUATED_PER_PROMPT as i32;
    let config = SampleConfig { steps, samples_per_prompt, seed: EVALUATION_SEED, ..Default::default() };
    let prompts: Vec<i32> = (0..world::PROMPTS as i32).collect();
    let pixels = codec().decode(&trainer.sample(Weights::Trained, &config, &prompts, None)?)?;
    let mut scores = Scores { taste: 0.0, prompt_match: 0.0 };
    for (index, picture) in pixels.chunks(world::BYTES).enumerate() {
        scores.taste += night_taste(picture);
        scores.prompt_match += world::prompt_match(picture, index / EVALUATED_PER_PROMPT);
    }
    scores.taste /= (world::PROMPTS * EVALUATED_PER_PROMPT) as f64;
    scores.prompt_match /= (world::PROMPTS * EVALUATED_PER_PROMPT) as f64;
    save_grid(&pixels, scores, grid)?;
    Ok(scores)
}

/// A grid with one row per colour: two pictures of every place, with alternating shapes.
fn save_grid(pixels: &[u8], scores: Scores, path: &Path) -> mixgrpo::Result<()> {
    let row = |colour: usize| (0..5).map(move |place| (colour * 3 + (colour + place) % 3) * 5 + place);
    let group = EVALUATED_PER_PROMPT * world::BYTES;
    let shown: Vec<u8> = (0..6).flat_map(row).flat_map(|prompt| &pixels[prompt * group..][..group]).copied().collect();
    let (count, side) = ((shown.len() / world::BYTES) as i32, world::SIZE as i32);
    let mut grid = Image::grid(&shown, count as usize, side, side, Grid { columns: COLUMNS as i32, gap: 4, scale: 3 })?;
    let (taste, prompt_match) = (options::digits(scores.taste), options::digits(scores.prompt_match));
    grid.set_texts(&[("night taste", &taste), ("prompt match", &prompt_match)])?;
    grid.save(path)
}

/// Draws groups of pictures, scores them and updates the model, iteration by iteration. Returns the number of model calls.
fn align(trainer: &mut Trainer, iterations: usize, log: &Path) -> Outcome<i64> {
    let _ = fs::remove_file(log); // left by an earlier run; lines are appended
    let taste = |batch: &Batch| -> mixgrpo::Result<Vec<f64>> {
        Ok(codec().decode(batch.samples())?.chunks(world::BYTES).map(night_taste).collect())
    };
    // All prompts take turns in a shuffled order: 37 and 90 have no common factor.
    let turn = |place: i64| (place * 37 % world::PROMPTS as i64) as i32;
    let chosen = |iteration: i64| (iteration * PROMPTS..(iteration + 1) * PROMPTS).map(turn).collect();
    let mut training = train(trainer, taste).choose(chosen);
    let (start, mut model_calls) = (Instant::now(), 0);
    for done in 1..=iterations {
        let metrics = match training.next().expect("a training goes on") {
            Err(error) if error.is_cancelled() => break, // Ctrl-C
            outcome => outcome?,
        };
        training.trainer().append_metrics(log)?;
        model_calls += metrics.model_calls_rollout + metrics.model_calls_update;
        let left = (start.elapsed().as_secs_f64() / done as f64 * (iterations - done) as f64) as i64;
        let (reward, minutes, seconds) = (metrics.reward_mean, left / 60, left % 60);
        println!("{done:3}/{iterations}  night taste {reward:.3}  {minutes}:{seconds:02} left");
    }
    Ok(model_calls)
}

fn summarize(before: Scores, after: Scores, model_calls: i64, seconds: f64, path: &Path) -> std::io::Result<()> {
    let [taste, taste_after, held_out, held_out_after] =
        [before.taste, after.taste, before.prompt_match, after.prompt_match].map(options::digits);
    let line = format!(
        "{{\"reward_before\": {taste}, \"reward_after\": {taste_after}, \"heldout_before\": {held_out}, \
         \"heldout_after\": {held_out_after}, \"model_calls\": {model_calls}, \"seconds\": {seconds:.1}}}\n"
    );
    fs::write(path, line)?;
    println!("\n{:24}{:>8}{:>8}{:>8}", "", "before", "after", "change");
    let rows = [
        ("night taste (trained)", before.taste, after.taste),
        ("prompt match (held out)", before.prompt_match, after.prompt_match),
    ];
    for (name, first, last) in rows {
        println!("{name:24}{first:8.3}{last:8.3}{:+8.3}", last - first);
    }
    println!("{model_calls} model calls in training, {seconds:.0} seconds in all");
    Ok(())
}

static INTERRUPTIBLE: OnceLock<Context> = OnceLock::new();

extern "C" fn interrupt(_: i32) {
    if let Some(context) = INTERRUPTIBLE.get() {
        context.cancel();
    }
}

extern "C" {
    fn signal(number: i32, handler: Option<extern "C" fn(i32)>) -> usize;
}
const SIGINT: i32 = 2;

fn run(options: &Options) -> Outcome<()> {
    let start = Instant::now();
    let context = Context::new(options.threads)?;
    let mut trainer = create_trainer(&context, options)?;
    let out = &options.out;
    fs::create_dir_all(out)?;
    let before = evaluate(&mut trainer, options.eval_steps, &out.join("before.png"))?;
    println!("before: night taste {:.3}, prompt match {:.3}", before.taste, before.prompt_match);

    INTERRUPTIBLE.get_or_init(|| context.clone());
    // SAFETY: the handler only does what a signal handler may do.
    unsafe { signal(SIGINT, Some(interrupt)) };
    let model_calls = align(&mut trainer, options.iterations, &out.join("metrics.jsonl"))?;
    // SAFETY: NULL is the default handler.
    unsafe { signal(SIGINT, None) };
    context.reset_cancel();

    let after = evaluate(&mut trainer, options.eval_steps, &out.join("after.png"))?;
    trainer.save_model(Weights::Trained, out.join("aligned"), Storage::Bf16)?;
    summarize(before, after, model_calls, start.elapsed().as_secs_f64(), &out.join("summary.json"))?;
    Ok(())
}

fn main() {
    if let Err(error) = Options::parse().and_then(|options| run(&options)) {
        eprintln!("align: {error}");
        std::process::exit(1);
    }
}
