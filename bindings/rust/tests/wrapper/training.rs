//! The trainer, and closures as rewards.

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};

use mixgrpo::*;

use crate::small::{self, brightness, Folder, GROUP};

#[test]
fn training_with_a_closure_moves_the_model() {
    let mut trainer = small::trainer(&Context::new(2).unwrap());
    let config = SampleConfig { steps: 3, ..Default::default() };
    let before = trainer.sample(Weights::Trained, &config, &[0], None).unwrap();
    let seen = Cell::new(0);
    let reward = |batch: &Batch| {
        seen.set(seen.get() + batch.len());
        brightness(batch)
    };
    let history: Result<Vec<Metrics>> = train(&mut trainer, reward).prompts_per_iteration(2).take(2).collect();
    assert_eq!(history.unwrap().iter().map(|metrics| metrics.iteration).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(seen.get(), 2 * 2 * GROUP);
    assert_ne!(trainer.sample(Weights::Trained, &config, &[0], None).unwrap(), before);
    assert_eq!(trainer.sample(Weights::Base, &config, &[0], None).unwrap(), before);
    let error = trainer.sample(Weights::Average, &config, &[0], None).unwrap_err();
    assert_eq!(error.status(), Status::InvalidState);
}

#[test]
fn prompts_take_turns_or_are_chosen_by_the_host() {
    let mut trainer = small::trainer(&Context::new(1).unwrap());
    let seen = std::cell::RefCell::new(Vec::new());
    let reward = |batch: &Batch| {
        seen.borrow_mut().push(batch.prompts().to_vec());
        assert_eq!(batch.prompt_of_each().count(), batch.len());
        brightness(batch)
    };
    for metrics in train(&mut trainer, reward).prompts_per_iteration(2).take(2) {
        metrics.unwrap();
    }
    let chosen = train(&mut trainer, reward).choose(|iteration| vec![iteration as i32]).next();
    assert_eq!(chosen.unwrap().unwrap().iteration, 2);
    train(&mut trainer, reward).next().unwrap().unwrap();
    assert_eq!(*seen.borrow(), [vec![0, 1], vec![2, 0], vec![2], vec![0, 1, 2]]);
    assert_eq!(
        train(&mut trainer, reward).prompts_per_iteration(0).next().unwrap().err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
}

#[test]
fn training_continues_unchanged_after_a_reward_fails_or_panics() {
    let context = Context::new(1).unwrap();
    let (mut troubled, mut calm) = (small::trainer(&context), small::trainer(&context));
    let calls = Cell::new(0);
    let reward = |batch: &Batch| -> std::result::Result<Vec<f64>, Box<dyn std::error::Error>> {
        calls.set(calls.get() + 1);
        match calls.get() {
            1 => Err("the scorer is down".into()),
            2 => panic!("the scorer broke"),
            _ => Ok(brightness(batch)?),
        }
    };
    let mut training = train(&mut troubled, reward);
    assert_eq!(training.next().unwrap().unwrap_err().to_string(), "the scorer is down");
    assert!(catch_unwind(AssertUnwindSafe(|| training.next().map(drop))).is_err());
    let after = training.next().unwrap().unwrap();
    let expected = train(&mut calm, brightness).next().unwrap().unwrap();
    assert_eq!((after.iteration, after.loss, after.gradient_norm), (0, expected.loss, expected.gradient_norm));
}

#[test]
fn a_reward_of_nan_is_excluded_and_counted() {
    let mut trainer = small::trainer(&Context::new(1).unwrap());
    trainer.rollout(&[0, 1]).unwrap();
    let rewards: Vec<f64> = (0..8).map(|sample| if sample == 3 { f64::NAN } else { f64::from(sample) }).collect();
    let metrics = trainer.update(&rewards, Some(&[2.0])).unwrap();
    assert_eq!(metrics.failed_rewards, 1);
    assert_eq!(trainer.metrics().unwrap(), metrics);
    let [reward] = &trainer.reward_metrics().unwrap()[..] else { panic!("expected one reward") };
    assert_eq!((reward.name.as_str(), reward.failed), ("brightness", 1));
    assert!(trainer.metrics_json().unwrap().contains("\"brightness\""));
}

#[test]
fn a_wrong_number_of_rewards_leaves_the_rollout_pending() {
    let mut trainer = small::trainer(&Context::new(1).unwrap());
    assert_eq!(trainer.update(&[0.0; 4], None).unwrap_err().status(), Status::InvalidState);
    trainer.rollout(&[0]).unwrap();
    assert_eq!(trainer.update(&[0.0; 3], None).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(trainer.iteration(), 0);
    trainer.update(&[0.0, 1.0, 2.0, 3.0], None).unwrap();
    assert_eq!(trainer.iteration(), 1);
}

#[test]
fn training_resumes_from_the_newest_complete_checkpoint() {
    let (context, folder) = (Context::new(1).unwrap(), Folder::new("checkpoints"));
    let (mut first, mut second) = (small::trainer(&context), small::trainer(&context));
    let path = folder.0.join("run");
    assert_eq!(first.resume(&path).unwrap(), None);
    for _ in 0..2 {
        train(&mut first, brightness).next().unwrap().unwrap();
        first.checkpoint(&path, 2, 0).unwrap();
    }
    std::fs::write(path.join("iteration-00000002.safetensors"), "incomplete").unwrap();
    assert_eq!(second.resume(&path).unwrap(), Some(Resumption { iteration: 1, skipped: 1 }));
    let metrics = train(&mut second, brightness).next().unwrap().unwrap();
    assert_eq!(metrics.loss.to_bits(), first.metrics().unwrap().loss.to_bits());
    assert_eq!(first.checkpoint(&path, 0, 0).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(small::trainer(&context).checkpoint(&path, 1, 0).unwrap_err().status(), Status::InvalidState);
}

#[test]
fn a_restored_training_continues_bit_by_bit() {
    let (context, folder) = (Context::new(2).unwrap(), Folder::new("training"));
    let (mut first, mut second) = (small::trainer(&context), small::trainer(&context));
    train(&mut first, brightness).next().unwrap().unwrap();
    first.save(folder.0.join("state")).unwrap();
    second.restore(folder.0.join("state")).unwrap();
    let continued = [&mut first, &mut second].map(|trainer| train(trainer, brightness).next().unwrap().unwrap());
    assert_eq!(continued[0].loss.to_bits(), continued[1].loss.to_bits());
    assert_eq!(continued[0].gradient_norm.to_bits(), continued[1].gradient_norm.to_bits());
    first.save_model(Weights::Trained, folder.0.join("model"), Storage::F32).unwrap();
    first.append_metrics(folder.0.join("metrics.jsonl")).unwrap();
    let line = std::fs::read_to_string(folder.0.join("metrics.jsonl")).unwrap();
    assert_eq!(line, first.metrics_json().unwrap() + "\n");
}
