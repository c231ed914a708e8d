//! Evaluations: fixed noise, the best weights, the watchdog, hybrid inference.

use mixgrpo::*;

use crate::small::{self, brightness, Folder};

const REWARDS: [EvaluationReward; 2] = [
    EvaluationReward { name: "bright", weight: 1.0, held_out: false },
    EvaluationReward { name: "dark", weight: 0.0, held_out: true },
];

fn evaluation(watchdog: Watchdog) -> Evaluation {
    let config = EvaluationConfig { every: 3, watchdog, watchdog_patience: 1, ..Default::default() };
    Evaluation::new(&config, &drawn(), &[0, 2], &REWARDS).unwrap()
}

fn drawn() -> SampleConfig<'static> {
    SampleConfig { steps: 3, samples_per_prompt: 2, ..Default::default() }
}

fn scores(bright: f64, dark: f64) -> Vec<f64> {
    [bright, dark].iter().flat_map(|mean| [mean - 0.5, mean + 0.5, mean - 0.5, mean + 0.5]).collect()
}

#[test]
fn the_watchdog_triggers_when_only_the_trained_reward_rises() {
    let (mut evaluation, mut again) = (evaluation(Watchdog::Stop), evaluation(Watchdog::Stop));
    let folder = Folder::new("watchdog");
    assert_eq!([0, 1, 3].map(|iteration| evaluation.is_due(iteration)), [true, false, true]);
    assert_eq!(evaluation.means().unwrap_err().status(), Status::InvalidState);
    assert_eq!(evaluation.verdict().unwrap(), None);
    let first = evaluation.submit(0, &scores(1.0, 5.0)).unwrap();
    assert!(first.is_best && first.score == 1.0 && first.verdict == Verdict::Continue && first.message.is_empty());
    let hacked = evaluation.submit(3, &scores(2.0, 4.0)).unwrap();
    assert!(hacked.verdict == Verdict::Stop && hacked.message.contains("iteration 3"), "{hacked:?}");
    assert_eq!(evaluation.means().unwrap(), [2.0, 4.0]);
    evaluation.save(&folder.0).unwrap();
    again.restore(&folder.0).unwrap();
    assert_eq!(again.verdict().unwrap(), Some((3, Verdict::Stop)));
    assert!(evaluation.submit(3, &scores(2.0, 4.0)).unwrap_err().message().contains("iteration"));
    assert!(evaluation.submit(6, &[1.0]).unwrap_err().message().contains("scores"));
}

#[test]
fn the_best_weights_can_be_restored() {
    let (context, folder) = (Context::new(1).unwrap(), Folder::new("evaluation"));
    let (mut trainer, mut evaluation) = (small::trainer(&context), evaluation(Watchdog::Off));
    let mut model = small::model(&context);
    let start = model.weights().unwrap();
    let samples = evaluation.sample(&mut trainer).unwrap();
    assert_eq!(samples, trainer.sample(Weights::Trained, &drawn(), &[0, 2], None).unwrap());
    train(&mut trainer, brightness).next().unwrap().unwrap();
    evaluation.submit(0, &scores(1.0, 1.0)).unwrap();
    assert_ne!(evaluation.sample(&mut trainer).unwrap(), samples);
    evaluation.save(&folder.0).unwrap();
    evaluation.save_best(folder.0.join("best"), Storage::F32).unwrap();
    assert_eq!(Model::load(&context, folder.0.join("best")).unwrap().weights().unwrap(), start);
    let mut again = self::evaluation(Watchdog::Off);
    again.restore(&folder.0).unwrap();
    model.set_weights(0, &vec![0.0; start.len()]).unwrap();
    again.best_into(&mut model).unwrap();
    assert_eq!(model.weights().unwrap(), start);
}

#[test]
fn all_wrong_settings_are_reported_together() {
    let out_of_range = EvaluationConfig { every: 0, watchdog_patience: 0, ..Default::default() };
    let base = EvaluationConfig { weights: Weights::Base, ..Default::default() };
    let alone = EvaluationConfig { watchdog: Watchdog::Warn, ..Default::default() };
    let cases =
        [(out_of_range, vec!["every", "watchdog_patience"]), (base, vec!["weights"]), (alone, vec!["held_out"])];
    for (config, fields) in cases {
        let error = Evaluation::new(&config, &drawn(), &[0], &REWARDS[..1]).unwrap_err();
        for field in fields {
            assert!(error.message().contains(field), "{error}");
        }
    }
}

#[test]
fn the_trained_model_draws_its_share_of_the_steps() {
    let mut trainer = small::trainer(&Context::new(1).unwrap());
    let base = trainer.sample(Weights::Trained, &drawn(), &[0, 1], None).unwrap();
    train(&mut trainer, brightness).next().unwrap().unwrap();
    let mut with_share = |trained_model_share| {
        trainer.sample(Weights::Trained, &SampleConfig { trained_model_share, ..drawn() }, &[0, 1], None)
    };
    assert_eq!(with_share(0.0).unwrap(), base);
    assert_ne!(with_share(0.5).unwrap(), base);
    assert_ne!(with_share(0.5).unwrap(), with_share(1.0).unwrap());
    let error = with_share(2.0).unwrap_err();
    assert!(error.message().contains("trained_model_share"), "{error}");
}
