//! A trainer for the host's model: here the built-in one, called by the host.

use mixgrpo::*;

use crate::ranks::Member;
use crate::small::{self, GROUP};

/// Answers with the small model and its own optimizer.
pub struct Owner {
    pub evaluator: Evaluator,
    pub model: Model,
    prompts: Prompts,
    optimizer: Optimizer,
    kept: Vec<f32>,
    asked: Vec<Weights>,
    pub calls: usize,
    pub fails_at: usize,
    /// With whom gradients are added up.
    pub member: Option<Member>,
}

impl Owner {
    fn new(context: &Context) -> Self {
        let model = small::model(context);
        Self {
            evaluator: small::evaluator(&model),
            prompts: small::prompts(context),
            optimizer: Optimizer::new(context, &small::learning(), model.weight_count().unwrap()).unwrap(),
            model,
            kept: Vec::new(),
            asked: Vec::new(),
            calls: 0,
            fails_at: 0,
            member: None,
        }
    }

    /// Replaces the gradients by their sum over all ranks.
    fn add_up_gradients(&mut self, member: &Member) -> Result<()> {
        let own: Vec<u8> = self.model.gradients()?.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let mut all = vec![0; own.len() * member.size];
        member.all_gather(&own, &mut all)?;
        let mut sums = vec![0.0; own.len() / 4];
        for rank in all.chunks(own.len()) {
            let values = rank.chunks(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap()));
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        self.model.set_gradients(0, &sums)
    }

    /// Forgets what the optimizer has learned, which `keep_state` does not copy.
    pub fn renew_optimizer(&mut self) {
        let count = self.model.weight_count().unwrap();
        self.optimizer = Optimizer::new(self.model.context(), &small::learning(), count).unwrap();
    }

    fn count(&mut self) -> Result<()> {
        self.calls += 1;
        if self.calls == self.fails_at {
            Err(Error::new(Status::Unsupported, "the host's own"))
        } else {
            Ok(())
        }
    }
}

impl HostModel for Owner {
    fn velocity(&mut self, batch: &LatentBatch) -> Result<Vec<f32>> {
        self.count()?;
        self.asked.push(batch.weights());
        let (latents, sigmas, prompts) = (batch.latents(), batch.sigmas(), batch.prompt_index());
        self.evaluator.velocity(&self.prompts, latents, sigmas, prompts, batch.needs_gradient())
    }
    fn backward(&mut self, _: &LatentBatch, d_velocity: &[f32]) -> Result<()> {
        self.count()?;
        self.evaluator.backward(d_velocity)
    }
    fn step(&mut self, _: i32, rate_factor: f64) -> Result<StepReport> {
        if let Some(member) = self.member.clone() {
            self.add_up_gradients(&member)?;
        }
        self.count()?;
        let report = self.optimizer.step_model(&mut self.model)?;
        Ok(StepReport { gradient_norm: report.gradient_norm, learning_rate: report.learning_rate * rate_factor })
    }
    fn keep_state(&mut self) -> Result<()> {
        self.kept = self.model.weights()?;
        Ok(())
    }
    fn restore_state(&mut self) -> Result<()> {
        self.model.set_weights(0, &self.kept)
    }
    fn zero_gradients(&mut self) -> Result<()> {
        self.model.zero_gradients()
    }
}

pub fn trainer(context: &Context) -> HostTrainer<Owner> {
    trainer_with(context, &small::sampling())
}

pub fn trainer_with(context: &Context, sampling: &SamplingConfig) -> HostTrainer<Owner> {
    let learning = LearningConfig { learning_rate: LearningConfig::default().learning_rate, ..small::learning() };
    let owner = Owner::new(context);
    let latent_size = owner.evaluator.latent_size();
    let host = HostConfig { prompt_count: 3, latent_size, max_batch: 8 };
    HostTrainer::new(context, &Plan::new(sampling).unwrap(), &learning, &host, &["brightness"], owner).unwrap()
}

pub fn score(samples: &[f32], size: usize) -> Vec<f64> {
    samples.chunks(size).map(|sample| f64::from(sample[0])).collect()
}

#[test]
fn a_host_trainer_trains_to_the_bits_of_the_built_in_trainer() {
    let context = Context::new(1).unwrap();
    let (mut ours, mut built_in) = (trainer(&context), small::trainer(&context));
    let samples = ours.rollout(&[2, 0]).unwrap();
    assert_eq!(samples, built_in.rollout(&[2, 0]).unwrap());
    let rewards = score(&samples, built_in.latent_size());
    let (metrics, expected) = (ours.update(&rewards, None).unwrap(), built_in.update(&rewards, None).unwrap());
    assert_eq!((metrics.loss, metrics.gradient_norm), (expected.loss, expected.gradient_norm));
    let again = SampleConfig { steps: 4, ..SampleConfig::default() };
    assert_eq!(
        ours.sample(Weights::Trained, &again, &[0, 1], None).unwrap(),
        built_in.sample(Weights::Trained, &again, &[0, 1], None).unwrap()
    );
}

#[test]
fn an_error_of_the_model_is_returned_and_the_update_undone() {
    let mut trainer = trainer(&Context::new(1).unwrap());
    let drawn = trainer.rollout_ticket(&[1]).unwrap();
    let rewards: Vec<f64> = (0..GROUP).map(|member| member as f64).collect();
    trainer.inbox().submit(drawn.ticket, &rewards).unwrap();
    let before = trainer.model.model.weights().unwrap();
    (trainer.model.calls, trainer.model.fails_at) = (0, 7);
    let error = trainer.update_tickets(MissingRewards::Refuse, None).unwrap_err();
    assert_eq!((error.status(), error.message()), (Status::Unsupported, "the host's own"));
    assert_eq!((trainer.model.model.weights().unwrap(), trainer.iteration()), (before.clone(), 0));
    trainer.model.fails_at = 0;
    trainer.update_tickets(MissingRewards::Refuse, None).unwrap();
    assert_ne!(trainer.model.model.weights().unwrap(), before);
}

#[test]
fn a_host_trainer_has_evaluations_and_progress() {
    let context = Context::new(1).unwrap();
    let (mut first, mut second) = (trainer(&context), trainer(&context));
    let rewards = [EvaluationReward { name: "brightness", weight: 1.0, held_out: false }];
    let sample = SampleConfig { steps: 4, ..SampleConfig::default() };
    let evaluation = Evaluation::new(&EvaluationConfig::default(), &sample, &[0, 1], &rewards).unwrap();
    assert_eq!(first.sample_evaluation(&evaluation).unwrap().len(), 2 * first.model.evaluator.latent_size());
    assert!(first.model.asked.iter().all(|weights| *weights == Weights::Trained));
    first.set_window(Some(1)).unwrap();
    second.set_progress(&first.progress().unwrap()).unwrap();
    assert_eq!(second.progress().unwrap(), first.progress().unwrap());
    assert_eq!(second.set_progress("{}").unwrap_err().status(), Status::InvalidFormat);
}
