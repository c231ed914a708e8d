//! Bad input gives an error that names the field, and leaves objects as before.

use mixgrpo::*;

use crate::small;

#[test]
fn the_loaded_library_has_the_declared_version() {
    assert_eq!(abi_version(), sys::MIXGRPO_ABI_VERSION);
    assert_eq!(version(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_wrong_field_of_a_configuration_is_named() {
    let error = Plan::new(&SamplingConfig { steps: 1, group_size: 1, ..Default::default() }).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains("steps") && error.message().contains("group_size"), "{error}");
}

#[test]
fn defaults_come_from_the_library() {
    let (sampling, learning) = preset("mixgrpo").unwrap();
    assert_eq!(sampling, SamplingConfig::default());
    assert_eq!(learning, LearningConfig::default());
    assert_eq!(sampling.steps, 25);
    assert_eq!(RolloutConfig::default().window_start, None);
}

#[test]
fn every_preset_is_valid_and_can_be_described() {
    let names: Vec<_> = preset_names().collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let (sampling, learning) = preset(name).unwrap();
        check(&sampling, &learning).unwrap();
        assert!(describe(&sampling, &learning).unwrap().contains(" = "), "{name}");
    }
    assert_eq!(preset("no such").unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn a_missing_folder_is_named() {
    let error = Model::load(&Context::new(1).unwrap(), "no/such/folder").unwrap_err();
    assert_eq!(error.status(), Status::InputOutput);
    assert!(error.message().contains("no/such/folder"), "{error}");
}

#[test]
fn a_text_with_a_zero_character_is_refused() {
    assert_eq!(preset("mix\0grpo").unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(
        Model::load(&Context::new(1).unwrap(), "folder\0name").err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
}

#[test]
fn arrays_that_share_one_size_must_all_have_it() {
    let context = Context::new(1).unwrap();
    let (model, prompts) = (small::model(&context), small::prompts(&context));
    let mut evaluator = small::evaluator(&model);
    let latents = vec![0.0; evaluator.latent_size()];
    for (latents, sigmas, index) in [
        (&latents[1..], &[0.5][..], &[0][..]),
        (&latents[..], &[0.5, 0.5], &[0, 0]),
        (&latents[..], &[0.5], &[0, 0]),
        (&latents[..], &[0.5], &[]),
    ] {
        let error = evaluator.velocity(&prompts, latents, sigmas, index, false).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    }
    let mut optimizer = Optimizer::new(&context, &LearningConfig::default(), 2).unwrap();
    assert_eq!(optimizer.step(&mut [0.0, 0.0], &[0.0]).unwrap_err().status(), Status::InvalidArgument);
    let rewards = [0.0; 7];
    assert_eq!(
        Advantages::new(&LearningConfig::default(), &rewards, 2, 4, None).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
    let x = [0.0; 4];
    let transitions = Transitions { latent_size: 2, latents: &x, velocity: &x[..2], next_latents: &x };
    let step = Step::stochastic(Dynamics::Flow, 0.7, 0.8, 0.7).unwrap();
    assert_eq!(
        step.log_probabilities(LogProbability::Mean, &transitions).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
}

#[test]
fn sizes_that_overflow_are_errors() {
    let context = Context::new(1).unwrap();
    let shape = TextShape { length: i32::MAX, width: i32::MAX, pooled_width: i32::MAX };
    assert_eq!(hashed_words(&small::LINES, shape).err().map(|error| error.status()), Some(Status::OutOfMemory));
    assert_eq!(time_grid(-1, 3.0, 0).err().map(|error| error.status()), Some(Status::InvalidArgument));
    assert_eq!(
        PixelCodec::new(-4, 4, 2).decode(&[0.0; 12]).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
    let config = RolloutConfig { latent_size: usize::MAX, ..Default::default() };
    assert_eq!(
        Rollout::new(&context, &small::plan(), &config, &[0]).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
    let window = small::plan().iteration(0, Some(u32::MAX), 1, 1).unwrap_err();
    assert_eq!(window.status(), Status::InvalidArgument, "{window}");
}

#[test]
fn an_invalid_png_is_refused() {
    assert_eq!(Image::decode(b"no picture").unwrap_err().status(), Status::InvalidFormat);
}
