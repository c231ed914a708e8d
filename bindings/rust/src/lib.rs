//! Aligns flow-matching image models with any reward, inside your own process: a safe interface to `libmixgrpo.so`. The
//! method is MixGRPO (arXiv 2507.21802): a mixed ODE/SDE sampler, whose stochastic window slides over the steps, and GRPO.
//!
//! **With the built-in model**: a [`Trainer`] with the flow transformer of the library; the host only scores.
//!
//! ```no_run
#![doc = include_str!("../examples/quickstart.rs")]
//! ```
//!
//! **With the host's model** (any framework, any device): a [`HostTrainer`] runs the iteration and asks a [`HostModel`] for
//! velocities and optimizer steps. [`Rollout`] and [`Update`] are its two halves, for hosts that run the iteration themselves.
//!
//! # Rules for every call
//!
//! * Every failure is an [`Error`] with its [`Status`] and the library's message: field, expected, got. Objects are as before
//!   the call. The library prints nothing and never ends the process.
//! * Arrays are flat, row-major slices; the documentation gives their shapes. B latents in a batch; N image tokens; C
//!   channels of a token; D = N·C values of one latent; P prompts; G members of a group; T steps; w window length; K rewards;
//!   σ in [0, 1] the noise level, 1 pure noise and 0 data.
//! * All objects are `Send` and `Sync`. An object keeps alive what it was created from. Evaluators and trainers share their
//!   model: a call that changes it while another thread uses it fails at once; it does not wait.
//! * Panics in closures never cross the C interface: they end the call and are resumed when it returns.
//! * Results do not depend on the number of threads, to the last bit.
//!
//! [`sys`] holds the raw declarations.
#![warn(missing_docs)]

#[cfg(not(unix))]
compile_error!("libmixgrpo is built for Linux");

mod adapters;
mod advantages;
mod border;
mod collective;
mod configurations;
mod context;
mod enums;
mod error;
mod evaluation;
mod evaluator;
mod guarded;
mod host_requests;
mod host_trainer;
mod image;
mod local_ranks;
mod mirror;
mod model;
mod optimizer;
mod panics;
mod pixels;
mod plan;
mod prompts;
mod ranks;
mod request;
mod rollout;
mod samples;
mod settings;
mod steps;
mod structs;
pub mod sys;
mod tickets;
mod trainer;
mod training;
mod update;
mod votes;

pub use advantages::Advantages;
pub use collective::Collective;
pub use configurations::{
    EvaluationConfig, EvaluatorConfig, HostConfig, LearningConfig, LoraConfig, ModelConfig, RolloutConfig,
    SampleConfig, SamplingConfig,
};
pub use context::Context;
pub use enums::*;
pub use error::{Error, Result, Status};
pub use evaluation::{Evaluation, EvaluationReward};
pub use evaluator::Evaluator;
pub use host_trainer::{HostModel, HostTrainer, StepReport};
pub use image::{Grid, Image};
pub use local_ranks::{LocalRank, LocalRanks};
pub use model::{Model, ParameterInfo};
pub use optimizer::Optimizer;
pub use pixels::PixelCodec;
pub use plan::Plan;
pub use prompts::{hashed_words, Prompts, TextShape};
pub use request::LatentBatch;
pub use rollout::{Rollout, RolloutRequest, StoredStep};
pub use settings::{check, describe, preset, preset_names};
pub use steps::{normal_noise, policy_loss, time_grid, PolicyLoss, Transitions};
pub use structs::*;
pub use tickets::{RewardInbox, TicketedSamples};
pub use trainer::Trainer;
pub use training::{train, Batch, Training};
pub use update::{Update, UpdateEvaluation, UpdateRequest};
pub use votes::{scores_from_pairs, scores_from_ratings};

/// The programs in the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The release of the loaded library, such as "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: the text is static.
    unsafe { border::static_text(sys::mixgrpo_version()) }.unwrap_or_default()
}

/// The binary interface of the loaded library; with another than [`sys::MIXGRPO_ABI_VERSION`] every call fails as
/// `Unsupported`.
pub fn abi_version() -> u32 {
    // SAFETY: may be called at any time.
    unsafe { sys::mixgrpo_abi_version() }
}
