//! Model, evaluator, plan, steps, images.

use mixgrpo::*;

use crate::small::{self, Folder};

#[test]
fn a_saved_model_is_loaded_bit_by_bit() {
    let (context, folder) = (Context::new(1).unwrap(), Folder::new("model"));
    let model = small::model(&context);
    model.save(&folder.0, Storage::F32).unwrap();
    let loaded = Model::load(&context, &folder.0).unwrap();
    assert_eq!(ModelConfig::load(&folder.0).unwrap(), small::sizes());
    assert_eq!(loaded.config().unwrap(), small::sizes());
    assert_eq!(loaded.weights().unwrap(), model.weights().unwrap());
}

#[test]
fn parameters_cover_the_flat_vector_without_gaps() {
    let model = small::model(&Context::new(1).unwrap());
    let mut end = 0;
    for (index, info) in model.parameters().unwrap().into_iter().enumerate() {
        assert_eq!(info.offset, end);
        assert_eq!(info.count, info.shape.iter().product::<usize>(), "{}", info.name);
        assert_eq!(model.find_parameter(&info.name).unwrap(), index);
        end += info.count;
    }
    assert_eq!(end, model.weight_count().unwrap());
}

#[test]
fn a_copy_is_independent() {
    let mut model = small::model(&Context::new(1).unwrap());
    let (copy, before) = (model.copy().unwrap(), model.weights().unwrap());
    model.set_weights(0, &[0.25]).unwrap();
    assert_eq!(copy.weights().unwrap(), before);
    assert_eq!(model.set_weights(0, &[f32::NAN]).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(model.weights().unwrap()[0], 0.25);
}

#[test]
fn backward_adds_gradients_once_for_each_kept_velocity() {
    let context = Context::new(1).unwrap();
    let (mut model, prompts) = (small::model(&context), small::prompts(&context));
    let mut evaluator = small::evaluator(&model);
    let latents = vec![0.3; 2 * evaluator.latent_size()];
    let velocity = evaluator.velocity(&prompts, &latents, &[0.5, 0.25], &[0, 2], true).unwrap();
    let mut d_latents = vec![0.0; latents.len()];
    evaluator.backward_to_latents(&vec![1.0; velocity.len()], &mut d_latents).unwrap();
    assert!(d_latents.iter().all(|value| value.is_finite()) && d_latents.iter().any(|value| *value != 0.0));
    assert!(model.gradients().unwrap().iter().any(|value| *value != 0.0));
    assert_eq!(evaluator.backward(&velocity).unwrap_err().status(), Status::InvalidState);
    model.zero_gradients().unwrap();
    assert!(model.gradients().unwrap().iter().all(|value| *value == 0.0));
}

#[test]
fn samples_depend_only_on_the_seed() {
    let context = Context::new(2).unwrap();
    let (model, prompts) = (small::model(&context), small::prompts(&context));
    let (mut evaluator, mut base) = (small::evaluator(&model), small::evaluator(&model.copy().unwrap()));
    let config = SampleConfig { steps: 3, samples_per_prompt: 2, trained_model_share: 0.5, ..Default::default() };
    let first = evaluator.sample(Some(&mut base), &prompts, &config, &[0, 1], None).unwrap();
    assert_eq!(first.len(), 2 * 2 * evaluator.latent_size());
    assert_eq!(first, evaluator.sample(Some(&mut base), &prompts, &config, &[0, 1], None).unwrap());
    let sigmas = [1.0, 0.6, 0.2, 0.0];
    for other in [SampleConfig { seed: 1, ..config }, SampleConfig { sigmas: Some(&sigmas), ..config }] {
        assert_ne!(first, evaluator.sample(Some(&mut base), &prompts, &other, &[0, 1], None).unwrap());
    }
    let rising = SampleConfig { sigmas: Some(&[1.0, 1.0, 0.0]), ..config };
    let error = evaluator.sample(Some(&mut base), &prompts, &rising, &[0, 1], None).unwrap_err();
    assert!(error.message().starts_with("sigmas[1]: expected a value below"));
    assert_eq!(
        evaluator.sample(None, &prompts, &config, &[0], None).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
}

#[test]
fn a_plan_predicts_steps_work_and_memory() {
    let plan = small::plan();
    let first = plan.iteration(0, None, 2, 2).unwrap();
    assert_eq!((first.step_count, first.trained_step_count), (6, 2));
    let steps: Vec<Step> = (0..first.step_count).map(|index| plan.step(0, None, index).unwrap()).collect();
    assert_eq!(steps.iter().map(|step| step.trained).collect::<Vec<_>>(), [true, true, false, false, false, false]);
    assert!(steps
        .iter()
        .all(|step| step.trained == (step.noise > 0.0) && step.trained == (step.kind == StepKind::Flow)));
    let moved = plan.iteration(0, Some(3), 2, 2).unwrap();
    assert_eq!(moved.window_start, 3);
    let workload = Workload {
        prompt_count: 2,
        token_count: 4,
        channels: 12,
        text_length: 4,
        max_batch: 8,
        threads: 1,
        keep_reference: false,
        recompute_activations: false,
        precision: Precision::Float32,
        max_bytes: 0,
        lora_rank: 0,
        frozen_base: false,
    };
    let alone = plan.memory(0, None, None, None, &workload).unwrap();
    let whole = plan.memory(0, None, Some(&small::learning()), Some(&small::sizes()), &workload).unwrap();
    assert_eq!(alone.weight_bytes, 0);
    assert!(whole.weight_bytes > 0 && whole.peak_bytes > alone.peak_bytes);
    let within = Workload { max_bytes: whole.peak_bytes, ..workload };
    assert_eq!(plan.memory(0, None, Some(&small::learning()), Some(&small::sizes()), &within).unwrap(), whole);
    let beyond = Workload { max_bytes: 1000, ..workload };
    let error = plan.memory(0, None, Some(&small::learning()), Some(&small::sizes()), &beyond).unwrap_err();
    assert_eq!(error.status(), Status::OutOfMemory);
    assert!(error.to_string().contains("max_bytes"));
}

#[test]
fn a_single_step_equals_the_plan_s_step() {
    let sigmas = time_grid(6, 3.0, 0).unwrap();
    let alone = Step::stochastic(Dynamics::Flow, 0.7, sigmas[0], sigmas[1]).unwrap();
    assert_eq!(Step { trained: true, ..alone }, small::plan().step(0, None, 0).unwrap());
    let euler = Step::deterministic(Solver::Euler, &sigmas, 2).unwrap();
    assert_eq!((euler.noise, euler.velocity), (0.0, sigmas[3] - sigmas[2]));
}

#[test]
fn the_policy_loss_of_the_old_policy_has_ratio_1() {
    let step = Step::stochastic(Dynamics::Flow, 0.7, 0.8, 0.7).unwrap();
    let mut noise = [0.0; 18];
    normal_noise(5, 0, 0, &mut noise).unwrap();
    let transitions =
        Transitions { latent_size: 3, latents: &noise[..6], velocity: &noise[6..12], next_latents: &noise[12..] };
    let old = step.log_probabilities(LogProbability::Mean, &transitions).unwrap();
    let learning = LearningConfig::default();
    let loss = policy_loss(&learning, &step, LogProbability::Mean, &transitions, None, &old, &[1.0, -1.0]).unwrap();
    assert_eq!((loss.ratios, loss.loss), (vec![1.0, 1.0], 0.0));
    assert!(loss.d_velocity.iter().any(|value| *value != 0.0));
}

#[test]
fn images_can_be_saved_and_put_into_grids() {
    let (folder, pixels) = (Folder::new("image"), [7_u8; 2 * 2 * 2 * 3]);
    let mut grid = Image::grid(&pixels, 2, 2, 2, Grid { columns: 2, gap: 1, scale: 3 }).unwrap();
    assert_eq!(grid.size().unwrap(), (2 * 2 * 3 + 1, 6));
    grid.set_texts(&[("seed", "7"), ("prompt", "grün")]).unwrap();
    grid.save(folder.0.join("grid.png")).unwrap();
    let loaded = Image::load(folder.0.join("grid.png")).unwrap();
    assert_eq!(loaded.pixels().unwrap(), grid.pixels().unwrap());
    assert_eq!(loaded.texts().unwrap(), grid.texts().unwrap());
}

#[test]
fn an_adapter_is_trained_saved_and_merged_on_a_shared_base() {
    let (context, folder) = (Context::new(1).unwrap(), Folder::new("adapter"));
    let mut base = small::model(&context);
    let config = LoraConfig { rank: 2, ..LoraConfig::default() };
    let mut adapted = base.adapt(&config, &["to_q"]).unwrap();
    assert!(adapted.weight_count().unwrap() < base.weight_count().unwrap());
    let values: Vec<f32> = (0..adapted.weight_count().unwrap()).map(|index| (index % 7) as f32 * 0.1 - 0.3).collect();
    adapted.set_weights(0, &values).unwrap();
    adapted.save_adapter(&folder.0, AdapterFormat::Peft).unwrap();
    let loaded = base.load_adapter(&folder.0).unwrap();
    assert_eq!(loaded.weights().unwrap(), values);
    assert_ne!(loaded.merge().unwrap().weights().unwrap(), base.weights().unwrap());
    adapted.set_adapter_strength(0.0).unwrap();
    assert_eq!(adapted.merge().unwrap().weights().unwrap(), base.weights().unwrap());
    assert_eq!(base.set_weights(0, &[0.5]).unwrap_err().status(), Status::InvalidState);
    drop((adapted, loaded));
    base.set_weights(0, &[0.5]).unwrap();
    assert_eq!(base.save_adapter(&folder.0, AdapterFormat::Peft).unwrap_err().status(), Status::InvalidState);
    assert_eq!(base.adapt(&config, &["nothing"]).unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn a_frozen_model_is_adapted_but_has_no_weights_to_train() {
    let (context, folder) = (Context::new(1).unwrap(), Folder::new("frozen"));
    let base = small::model(&context);
    let frozen = base.freeze().unwrap();
    assert_eq!(frozen.weight_count().unwrap(), 0);
    frozen.save(&folder.0, Storage::F32).unwrap();
    let loaded = Model::load_frozen(&context, &folder.0).unwrap();
    assert_eq!(loaded.merge().unwrap().weights().unwrap(), frozen.merge().unwrap().weights().unwrap());
    assert_ne!(loaded.merge().unwrap().weights().unwrap(), base.weights().unwrap());
    assert!(loaded.adapt(&LoraConfig::default(), &["to_q"]).unwrap().weight_count().unwrap() > 0);
}
