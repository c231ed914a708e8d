//! Rollout and update of a model that the host owns.

use mixgrpo::*;

use crate::small::{self, GROUP};

const SIZE: usize = 3;

/// v = weight · x.
fn velocity(weight: f32, batch: &LatentBatch) -> Vec<f32> {
    batch.latents().iter().map(|x| weight * x).collect()
}

fn begin(context: &Context) -> Rollout {
    let config = RolloutConfig { latent_size: SIZE, ..Default::default() };
    Rollout::new(context, &small::plan(), &config, &[5, 2]).unwrap()
}

fn finished(context: &Context, weight: f32) -> Rollout {
    let mut rollout = begin(context);
    while let Some(request) = rollout.next_request().unwrap() {
        let answer = velocity(weight, &request);
        request.submit(&answer).unwrap();
    }
    rollout
}

fn advantages(rollout: &Rollout) -> Advantages {
    let rewards: Vec<f64> = rollout.samples().unwrap().chunks(SIZE).map(|x| f64::from(x[0])).collect();
    Advantages::new(&small::learning(), &rewards, 2, GROUP, None).unwrap()
}

#[test]
fn a_request_describes_what_to_evaluate() {
    let mut rollout = begin(&Context::new(1).unwrap());
    let request = rollout.next_request().unwrap().unwrap();
    assert_eq!(request.latent_size(), SIZE);
    assert_eq!(request.latents().len(), request.len() * SIZE);
    assert_eq!(request.latent(0), &request.latents()[..SIZE]);
    assert!(request.sigmas().iter().all(|sigma| *sigma == 1.0));
    assert_eq!(request.prompt_index(), [5, 2]); // all members of a group start from one noise, evaluated once
    assert_eq!(request.sample(), [0, GROUP as i32]);
    assert_eq!(request.step(), [0, 0]);
}

#[test]
fn a_request_is_repeated_until_a_valid_answer_comes() {
    let mut rollout = begin(&Context::new(1).unwrap());
    let first = rollout.next_request().unwrap().unwrap().latents().to_vec();
    for (answer, status) in [
        (vec![0.0; first.len() - 1], Status::InvalidArgument),
        (vec![f32::NAN; first.len()], Status::NotFinite),
        (vec![], Status::InvalidArgument),
    ] {
        let request = rollout.next_request().unwrap().unwrap();
        assert_eq!(request.latents(), first);
        assert_eq!(request.submit(&answer).unwrap_err().status(), status);
    }
    assert_eq!(rollout.samples().unwrap_err().status(), Status::InvalidState);
    rollout.next_request().unwrap().unwrap().submit(&first).unwrap();
}

#[test]
fn an_unfinished_rollout_cannot_be_trained_on() {
    let context = Context::new(1).unwrap();
    let advantages = advantages(&finished(&context, 0.5));
    let error = Update::new(&begin(&context), &small::learning(), &advantages, 0).unwrap_err();
    assert_eq!(error.status(), Status::InvalidState);
}

#[test]
fn stored_steps_have_the_log_probabilities_of_their_transitions() {
    let rollout = finished(&Context::new(1).unwrap(), 0.5);
    let step = small::plan().step(0, None, 1).unwrap();
    let stored = rollout.stored_step(1).unwrap();
    let velocity: Vec<f32> = stored.latents.iter().map(|x| 0.5 * x).collect();
    let transitions = Transitions {
        latent_size: SIZE,
        latents: &stored.latents,
        velocity: &velocity,
        next_latents: &stored.next_latents,
    };
    assert_eq!(step.log_probabilities(LogProbability::Mean, &transitions).unwrap(), stored.log_probabilities);
}

#[test]
fn all_samples_start_from_the_noise_that_the_host_gives() {
    let noise: Vec<f32> = (0..2 * SIZE).map(|value| value as f32 / 8.0).collect();
    let config = RolloutConfig { latent_size: SIZE, ..Default::default() };
    let mut rollout = Rollout::with_noise(&Context::new(1).unwrap(), &small::plan(), &config, &[0, 1], &noise).unwrap();
    assert_eq!(rollout.next_request().unwrap().unwrap().latents(), noise);
}

/// Trains the one weight for one iteration, split into requests of `max_batch`.
fn trained(context: &Context, max_batch: i32) -> (f32, UpdateStatistics) {
    let (mut weight, mut gradient, mut minibatches) = ([0.5_f32], [0.0_f32], Vec::new());
    let rollout = finished(context, weight[0]);
    let mut optimizer = Optimizer::new(context, &small::learning(), 1).unwrap();
    let mut update = Update::new(&rollout, &small::learning(), &advantages(&rollout), max_batch).unwrap();
    drop(rollout); // the update keeps what it needs
    while let Some(request) = update.next_request().unwrap() {
        match request {
            UpdateRequest::Evaluate(request) => {
                assert!(!request.needs_reference());
                assert!(max_batch == 0 || request.len() <= max_batch as usize);
                let (x, answer) = (request.latents().to_vec(), velocity(weight[0], &request));
                let d_velocity = request.submit(&answer, None).unwrap();
                gradient[0] += x.iter().zip(&d_velocity).map(|(x, d)| x * d).sum::<f32>();
            }
            UpdateRequest::OptimizerStep { minibatch } => {
                minibatches.push(minibatch);
                optimizer.step(&mut weight, &gradient).unwrap();
                gradient[0] = 0.0;
            }
        }
    }
    assert_eq!(minibatches, [0, 1]);
    (weight[0], update.statistics().unwrap())
}

#[test]
fn an_update_trains_the_host_s_weights_and_starts_at_ratio_1() {
    let (weight, statistics) = trained(&Context::new(1).unwrap(), 0);
    assert!(weight != 0.5);
    assert_eq!((statistics.first_ratio_min, statistics.first_ratio_max), (1.0, 1.0));
    assert_eq!(statistics.optimizer_steps, 2);
    let (split, _) = trained(&Context::new(3).unwrap(), 3);
    assert!((split - weight).abs() <= 1e-6, "{split} is not {weight}");
}

#[test]
fn the_built_in_model_can_answer_all_requests() {
    let context = Context::new(2).unwrap();
    let (model, prompts) = (small::model(&context), small::prompts(&context));
    let (mut evaluator, mut reference) = (small::evaluator(&model), small::evaluator(&model.copy().unwrap()));
    let config = RolloutConfig { latent_size: evaluator.latent_size(), ..Default::default() };
    let mut rollout = Rollout::new(&context, &small::plan(), &config, &[0, 1]).unwrap();
    rollout.run(&mut evaluator, &prompts).unwrap();
    assert_eq!(rollout.model_calls(), small::plan().iteration(0, None, 2, 2).unwrap().rollout_model_calls);
    let learning = LearningConfig { kl_reference: 0.1, ..small::learning() };
    let given = Advantages::given((0..8).map(|sample| f64::from(sample) - 3.5).collect()).unwrap();
    let mut update = Update::new(&rollout, &learning, &given, 0).unwrap();
    let (mut optimizer, before) =
        (Optimizer::new(&context, &learning, model.weight_count().unwrap()).unwrap(), model.weights().unwrap());
    let report = update.run(&mut evaluator, &prompts, &mut optimizer, Some(&mut reference)).unwrap();
    assert_eq!(report.step, 2);
    assert_eq!(update.statistics().unwrap().first_ratio_min, 1.0);
    assert_ne!(model.weights().unwrap(), before);
}

#[test]
fn advantages_that_are_not_finite_are_refused() {
    assert_eq!(Advantages::given(vec![0.0, f64::NAN]).unwrap_err().status(), Status::InvalidArgument);
}
