//! The safe interface, on a model of 2 × 2 tokens.

mod callbacks;
mod errors;
mod evaluation;
mod host_ranks;
mod host_trainer;
mod models;
mod ranks;
mod rollout_and_update;
mod small;
mod threads;
mod tickets;
mod training;
