//! AdamW with decoupled decay, a global-norm clip, and a constant or warm-up and cosine rate.

use crate::border::{same_size, Handle};
use crate::configurations::LearningConfig;
use crate::context::Context;
use crate::error::Result;
use crate::mirror::MirrorStruct;
use crate::model::Model;
use crate::structs::OptimizerReport;
use crate::sys;

/// AdamW for the host's own weights or for a model of the library.
#[derive(Debug)]
pub struct Optimizer {
    handle: Handle<sys::mixgrpo_optimizer>,
    _context: Context,
}

impl Optimizer {
    /// Creates an optimizer for `parameter_count` weights (at least 1) from the optimizer's fields of `config`.
    pub fn new(context: &Context, config: &LearningConfig, parameter_count: usize) -> Result<Self> {
        let config = config.to_raw();
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            sys::mixgrpo_optimizer_create(context.raw(), &config, parameter_count, out)
        })?;
        Ok(Self { handle, _context: context.clone() })
    }

    /// One step on the host's own weights, in place.
    ///
    /// # Errors
    /// `NotFinite` when a gradient is not finite or a weight would not be: weights and optimizer stay as they were.
    pub fn step(&mut self, weights: &mut [f32], gradients: &[f32]) -> Result<OptimizerReport> {
        same_size("gradients", weights.len(), gradients.len())?;
        let (raw, values, count, gradients) = (self.raw(), weights.as_mut_ptr(), weights.len(), gradients.as_ptr());
        // SAFETY: all pointers are valid during the call, and of the size checked above.
        OptimizerReport::read(|report| unsafe { sys::mixgrpo_optimizer_step(raw, values, gradients, count, report) })
    }

    /// One step on a model with its accumulated gradients, which become 0. Errors as in [`step`](Self::step).
    pub fn step_model(&mut self, model: &mut Model) -> Result<OptimizerReport> {
        let _changing = model.shared.weights.change()?;
        let (raw, model) = (self.raw(), model.raw());
        // SAFETY: all pointers are valid during the call.
        OptimizerReport::read(|report| unsafe { sys::mixgrpo_optimizer_step_model(raw, model, report) })
    }

    pub(crate) fn raw(&mut self) -> *mut sys::mixgrpo_optimizer {
        self.handle.get()
    }
}
