//! Run iterations: draw groups of images, score them with a closure, update the model.

use std::marker::PhantomData;

use crate::border;
use crate::error::{Error, Result};
use crate::structs::Metrics;
use crate::trainer::Trainer;

/// The samples of one rollout, for the reward.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    samples: &'a [f32],
    prompts: &'a [i32],
    group_size: usize,
}

impl<'a> Batch<'a> {
    /// P·G, the number of samples.
    pub fn len(&self) -> usize {
        self.prompts.len() * self.group_size
    }

    /// Whether there are none; never true in training.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples, (P, G, N, C). [`PixelCodec`](crate::PixelCodec) decodes them.
    pub fn samples(&self) -> &'a [f32] {
        self.samples
    }

    /// The prompts, (P), each with G consecutive samples.
    pub fn prompts(&self) -> &'a [i32] {
        self.prompts
    }

    /// The prompt of each sample, in the order of [`samples`](Self::samples).
    pub fn prompt_of_each(&self) -> impl Iterator<Item = i32> + 'a {
        let group_size = self.group_size;
        self.prompts.iter().flat_map(move |prompt| std::iter::repeat(*prompt).take(group_size))
    }
}

/// Trains with a closure as the reward. Returns an endless iterator: each `next` runs one iteration of rollout, reward and
/// update, and gives its metrics.
///
/// `reward`: returns the rewards (K, P, G) of a batch, one reward after another; NaN for one that failed. It need not be
/// differentiable. It may borrow, keep state, fail, and panic: the next call then repeats the iteration with the same random
/// numbers.
///
/// ```no_run
/// use mixgrpo::*;
///
/// # fn f(trainer: &mut Trainer) -> mixgrpo::Result<()> {
/// let codec = PixelCodec::new(32, 32, 4);
/// let darkness = |batch: &Batch| -> mixgrpo::Result<Vec<f64>> {
///     let pixels = codec.decode(batch.samples())?; // (P, G, 32, 32, 3)
///     let sum = |image: &[u8]| image.iter().map(|byte| f64::from(*byte)).sum::<f64>();
///     Ok(pixels.chunks(codec.image_size()).map(|image| -sum(image)).collect())
/// };
/// for metrics in train(trainer, darkness).prompts_per_iteration(2).take(20) {
///     println!("{:.3}", metrics?.reward_mean);
/// }
/// # Ok(())
/// # }
/// ```
pub fn train<'a, F, E>(trainer: &'a mut Trainer, reward: F) -> Training<'a, F, E>
where
    F: FnMut(&Batch<'_>) -> std::result::Result<Vec<f64>, E>,
    E: From<Error>,
{
    Training { trainer, reward, weights: None, choice: Choice::InTurn(4), failure: PhantomData }
}

/// An endless iterator over iterations: see [`train`].
pub struct Training<'a, F, E> {
    trainer: &'a mut Trainer,
    reward: F,
    weights: Option<Vec<f64>>,
    choice: Choice<'a>,
    failure: PhantomData<fn() -> E>,
}

/// The choice of an iteration's prompts.
enum Choice<'a> {
    InTurn(usize),
    ByHost(Box<dyn FnMut(i64) -> Vec<i32> + 'a>),
}

impl<'a, F, E> Training<'a, F, E> {
    /// P, the prompts of an iteration; all prompts take turns. Default 4, or all prompts if there are fewer.
    #[must_use]
    pub fn prompts_per_iteration(mut self, count: usize) -> Self {
        self.choice = Choice::InTurn(count);
        self
    }

    /// The host's own choice: iteration → prompt indices.
    #[must_use]
    pub fn choose(mut self, prompts: impl FnMut(i64) -> Vec<i32> + 'a) -> Self {
        self.choice = Choice::ByHost(Box::new(prompts));
        self
    }

    /// Weights of the rewards, (K), each 0 or more, not all 0. Default 1 each.
    #[must_use]
    pub fn weights(mut self, weights: &[f64]) -> Self {
        self.weights = Some(weights.to_vec());
        self
    }

    /// The trainer, between two iterations.
    pub fn trainer(&mut self) -> &mut Trainer {
        self.trainer
    }

    fn prompts(&mut self) -> Result<Vec<i32>> {
        let (iteration, known) = (self.trainer.iteration(), self.trainer.prompt_count());
        match &mut self.choice {
            Choice::ByHost(choose) => Ok(choose(iteration)),
            Choice::InTurn(0) => Err(Error::invalid("prompts_per_iteration: expected 1 or more, got 0")),
            Choice::InTurn(count) => in_turn(iteration, (*count).min(known), known),
        }
    }
}

/// Prompts iteration·count, iteration·count + 1, …, starting again after the last.
fn in_turn(iteration: i64, count: usize, known: usize) -> Result<Vec<i32>> {
    let known = i64::from(border::count(known, "prompts")?).max(1);
    let first = (iteration % known) * (count as i64 % known);
    Ok((0..count as i64).map(|place| ((first + place) % known) as i32).collect())
}

impl<F, E> Training<'_, F, E>
where
    F: FnMut(&Batch<'_>) -> std::result::Result<Vec<f64>, E>,
    E: From<Error>,
{
    fn iterate(&mut self) -> std::result::Result<Metrics, E> {
        let prompts = self.prompts()?;
        let samples = self.trainer.rollout(&prompts)?;
        let batch = Batch { samples: &samples, prompts: &prompts, group_size: self.trainer.group_size() };
        let rewards = (self.reward)(&batch)?;
        Ok(self.trainer.update(&rewards, self.weights.as_deref())?)
    }
}

impl<F, E> Iterator for Training<'_, F, E>
where
    F: FnMut(&Batch<'_>) -> std::result::Result<Vec<f64>, E>,
    E: From<Error>,
{
    type Item = std::result::Result<Metrics, E>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.iterate())
    }
}
