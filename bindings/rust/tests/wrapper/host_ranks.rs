//! Ranks of a trainer for the host's model. Here they are threads.

use std::thread;

use mixgrpo::*;

use crate::host_trainer::{score, trainer, trainer_with, Owner};
use crate::ranks::Member;
use crate::small::{self, GROUP, LINES};

/// The host's model as one of two ranks.
fn rank(member: &Member) -> HostTrainer<Owner> {
    let mut trainer = trainer(&Context::new(1).unwrap());
    trainer.model.member = Some(member.clone());
    trainer.set_collective(Some(Box::new(member.clone()))).unwrap();
    trainer
}

/// What each of two ranks does.
fn ranks<T: Send + 'static>(work: fn(Member) -> T) -> Vec<T> {
    let threads: Vec<_> = Member::all(2).into_iter().map(|member| thread::spawn(move || work(member))).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Draws all prompts. Returns the rewards of all ranks.
fn draw(trainer: &mut HostTrainer<Owner>) -> Vec<f64> {
    let (size, prompts) = (trainer.model.evaluator.latent_size(), LINES.len());
    let samples = trainer.rollout(&[0, 1, 2]).unwrap();
    assert_eq!(samples.len(), trainer.share(prompts).len() * GROUP * size);
    trainer.gather_scores(&score(&samples, size), [1, prompts, GROUP]).unwrap()
}

fn train(trainer: &mut HostTrainer<Owner>) -> (Vec<f32>, Metrics) {
    let mut latest = None;
    for _ in 0..2 {
        let rewards = draw(trainer);
        latest = Some(trainer.update(&rewards, None).unwrap());
    }
    (trainer.model.model.weights().unwrap(), latest.unwrap())
}

fn is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-5 * expected.abs().max(1e-3)
}

#[test]
fn ranks_train_to_the_weights_and_metrics_of_one_process() {
    let (expected, metrics) = train(&mut trainer(&Context::new(1).unwrap()));
    let found = ranks(|member| train(&mut rank(&member)));
    assert!(found[0].0 == found[1].0, "ranks differ");
    let differences = found[0].0.iter().zip(&expected).map(|(one, other)| (one - other).abs());
    assert!(differences.fold(0.0, f32::max) <= 1e-5);
    for (_, own) in found {
        assert_eq!((own.iteration, own.model_calls_update), (metrics.iteration, metrics.model_calls_update));
        assert_eq!((own.model_calls_rollout, own.first_ratio_min), (metrics.model_calls_rollout, 1.0));
        assert!(is_close(own.reward_mean, metrics.reward_mean) && is_close(own.reward_std, metrics.reward_std));
        assert!(is_close(own.loss, metrics.loss) && is_close(own.gradient_norm, metrics.gradient_norm), "{own:?}");
    }
}

#[test]
fn samples_and_scores_of_an_evaluation_are_shared_out() {
    let rewards = [EvaluationReward { name: "brightness", weight: 1.0, held_out: false }];
    let config = SampleConfig { steps: 4, samples_per_prompt: 2, ..SampleConfig::default() };
    let sample = |trainer: &mut HostTrainer<Owner>| {
        let evaluation = Evaluation::new(&EvaluationConfig::default(), &config, &[2, 0, 1], &rewards).unwrap();
        let samples = trainer.sample_evaluation(&evaluation).unwrap();
        assert_eq!(samples, trainer.sample(Weights::Trained, &config, &[2, 0, 1], None).unwrap());
        samples
    };
    let expected = sample(&mut trainer(&Context::new(1).unwrap()));
    let found: Vec<f32> = thread::scope(|scope| {
        let threads: Vec<_> =
            Member::all(2).into_iter().map(|member| scope.spawn(move || sample(&mut rank(&member)))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(found, expected);
}

#[test]
fn a_failure_on_one_rank_undoes_the_update_on_all() {
    let found = ranks(|member| {
        let mut trainer = rank(&member);
        let rewards = draw(&mut trainer);
        let before = trainer.model.model.weights().unwrap();
        // In the second minibatch: the velocity, its backward pass, the step.
        let errors = [4, 5, 6].map(|call| {
            (trainer.model.calls, trainer.model.fails_at) = (0, if member.rank == 1 { call } else { 0 });
            let error = trainer.update(&rewards, None).unwrap_err();
            assert!(trainer.model.model.weights().unwrap() == before && trainer.iteration() == 0);
            assert!(trainer.model.model.gradients().unwrap().iter().all(|gradient| *gradient == 0.0));
            error
        });
        trainer.model.fails_at = 0;
        trainer.model.renew_optimizer();
        trainer.update(&rewards, None).unwrap();
        (errors, trainer.model.model.weights().unwrap())
    });
    for (error, text) in [(&found[0].0, "rank 1: the host's own"), (&found[1].0, "the host's own")] {
        assert!(
            error.iter().all(|error| error.status() == Status::Unsupported && error.message() == text),
            "{error:?}"
        );
    }
    assert!(found[0].1 == found[1].1);
}

#[test]
fn a_cancel_on_one_rank_ends_a_rollout_on_all() {
    let found = ranks(|member| {
        let context = Context::new(1).unwrap();
        let mut trainer = trainer(&context);
        trainer.set_collective(Some(Box::new(member.clone()))).unwrap();
        if member.rank == 0 {
            context.cancel();
        }
        let error = trainer.rollout(&[0, 1, 2]).unwrap_err();
        context.reset_cancel();
        assert!(trainer.rollout(&[0, 1, 2]).is_ok());
        error
    });
    assert!(found.iter().all(Error::is_cancelled));
    assert!(found[1].message().starts_with("rank 0: "), "{}", found[1]);
}

#[test]
fn ranks_that_differ_are_refused_on_all() {
    let refused = ranks(|member| {
        let sampling = SamplingConfig { seed: 11 + member.rank as u64, ..small::sampling() };
        let mut trainer = trainer_with(&Context::new(1).unwrap(), &sampling);
        let settings = trainer.set_collective(Some(Box::new(member.clone()))).unwrap_err();
        assert_eq!(trainer.share(3), 0..3);
        let mut trainer = rank(&member);
        let prompts = trainer.rollout(if member.rank == 0 { &[0, 1] } else { &[0, 7] }).unwrap_err();
        let call = trainer.rollout(if member.rank == 0 { &[0, 1] } else { &[1, 0] }).unwrap_err();
        let scores =
            trainer.gather_scores(&vec![0.0; if member.rank == 0 { 1 } else { 8 }], [1, 3, GROUP]).unwrap_err();
        [settings, prompts, call, scores]
    });
    for (rank, [settings, prompts, call, scores]) in refused.iter().enumerate() {
        assert_eq!(settings.status(), Status::InvalidArgument);
        let expected = "\"seed\":\"11\" on rank 0, got \"seed\":\"12\" on rank 1";
        assert!(settings.message().ends_with(expected), "{settings}");
        assert_eq!(prompts.message().starts_with("rank 1: prompt_indices"), rank == 0, "{prompts}");
        assert!(call.message().ends_with("as on rank 0, got another on rank 1"), "{call}");
        assert_eq!(scores.message().starts_with("rank 0: scores: expected 4 values, got 1"), rank == 1, "{scores}");
    }
}

/// A transport that has lost the other rank.
struct Broken(usize);

impl Collective for Broken {
    fn rank(&self) -> usize {
        self.0
    }
    fn size(&self) -> usize {
        2
    }
    fn all_gather(&self, _: &[u8], _: &mut [u8]) -> Result<()> {
        Err(Error::new(Status::NotFinite, "rank 1 is gone"))
    }
    fn all_to_all(&self, _: &[u8], _: &[usize], _: &mut [u8], _: &[usize]) -> Result<()> {
        unreachable!()
    }
}

#[test]
fn a_collective_that_fails_or_has_no_place_for_its_rank_changes_nothing() {
    let mut trainer = trainer(&Context::new(1).unwrap());
    let error = trainer.set_collective(Some(Box::new(Broken(0)))).unwrap_err();
    assert_eq!(error.status(), Status::InputOutput);
    assert!(error.message().ends_with("got: rank 1 is gone"), "{error}");
    let error = trainer.set_collective(Some(Box::new(Broken(2)))).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert_eq!(draw(&mut trainer).len(), LINES.len() * GROUP);
}
