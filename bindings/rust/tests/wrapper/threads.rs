//! What may cross threads, and what is exclusive.

use std::sync::{mpsc, Arc, Barrier};
use std::thread;

use mixgrpo::*;

use crate::small;

fn crosses_threads<T: Send + Sync>() {}

#[test]
fn objects_are_send_and_sync() {
    crosses_threads::<Context>();
    crosses_threads::<Model>();
    crosses_threads::<Prompts>();
    crosses_threads::<Evaluator>();
    crosses_threads::<Plan>();
    crosses_threads::<Rollout>();
    crosses_threads::<RolloutRequest>();
    crosses_threads::<Update>();
    crosses_threads::<UpdateRequest>();
    crosses_threads::<Optimizer>();
    crosses_threads::<Trainer>();
    crosses_threads::<RewardInbox>();
    crosses_threads::<Image>();
    crosses_threads::<Error>();
}

#[test]
fn a_trainer_gives_the_same_numbers_on_another_thread() {
    let (here, there) = (Context::new(1).unwrap(), Context::new(2).unwrap());
    let mut moved = small::trainer(&there);
    let samples = thread::spawn(move || moved.rollout(&[0, 1]).unwrap()).join().unwrap();
    assert_eq!(samples, small::trainer(&here).rollout(&[0, 1]).unwrap());
}

#[test]
fn objects_outlive_what_they_were_created_from() {
    let mut trainer = small::trainer(&Context::new(1).unwrap()); // context, model, evaluator, prompts and plan are gone
    assert_eq!(trainer.rollout(&[0]).unwrap().len(), small::GROUP * trainer.latent_size());
}

#[test]
fn evaluators_of_one_model_work_side_by_side() {
    let context = Context::new(1).unwrap();
    let (model, prompts) = (small::model(&context), small::prompts(&context));
    let start = Barrier::new(2);
    let evaluate = || {
        let mut evaluator = small_evaluator_alone(&model);
        let latents = vec![0.5; evaluator.latent_size()];
        start.wait();
        (0..20).map(|_| evaluator.velocity(&prompts, &latents, &[0.5], &[0], false).unwrap()).last()
    };
    let [first, second] =
        thread::scope(|scope| [scope.spawn(evaluate), scope.spawn(evaluate)].map(|it| it.join().unwrap()));
    assert_eq!(first, second);
}

/// Creating an evaluator needs the model exclusively: two threads take turns.
fn small_evaluator_alone(model: &Model) -> Evaluator {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap();
    small::evaluator(model)
}

#[test]
fn a_model_in_training_refuses_other_uses() {
    let context = Context::new(1).unwrap();
    let mut model = small::model(&context);
    let (evaluator, prompts) = (small::evaluator(&model), small::prompts(&context));
    let mut trainer =
        Trainer::new(&evaluator, &prompts, &small::plan(), &small::learning(), &["brightness"], false).unwrap();
    trainer.rollout(&[0]).unwrap();
    let (reached, arrived) = mpsc::channel();
    let go_on = Arc::new(Barrier::new(2));
    let wait = Arc::clone(&go_on);
    context.set_progress(move |progress| {
        if progress.stage == Stage::Update && reached.send(()).is_ok() {
            wait.wait();
        }
    });
    thread::scope(|scope| {
        scope.spawn(|| trainer.update(&[0.0, 1.0, 2.0, 3.0], None).unwrap());
        arrived.recv().unwrap();
        let outcomes = [model.weights().map(drop), model.set_weights(0, &[0.0])];
        drop(arrived);
        go_on.wait();
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!(error.status(), Status::InvalidState);
            assert!(error.message().contains("model"), "{error}");
        }
    });
    context.silence();
    model.weights().unwrap();
}
