//! How a host's trainer gets its requests answered, on all ranks together.

use std::ffi::CString;
use std::ptr::null_mut;

use crate::border::{self, buffer, optional, same_size};
use crate::error::{Error, Result, Status};
use crate::host_trainer::{HostModel, HostTrainer};
use crate::ranks::Failure;
use crate::request::LatentBatch;
use crate::sys;

/// An answer, or the reason why there is none.
type Answer<T> = std::result::Result<T, Failure>;

impl<M: HostModel> HostTrainer<M> {
    /// Begins work on all ranks, or on none. `token`: of the call.
    pub(crate) fn begin(&mut self, token: u64, begin: impl FnOnce() -> sys::mixgrpo_status) -> Result<()> {
        let begun = border::call(begin);
        let is_begun = begun.is_ok();
        let agreed = self.ranks.together(begun, token);
        if let (true, Err(error)) = (is_begun, &agreed) {
            self.fail(error);
            while let Ok(false) = self.answer_next() {}
        }
        agreed
    }

    /// Answers requests until everything is finished, or undone.
    pub(crate) fn answer_all(&mut self) -> Result<()> {
        loop {
            let failure = match self.answer_next() {
                Ok(false) => continue,
                Ok(true) => match self.ranks.agree() {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            self.treat(failure)?;
        }
    }

    /// Reports a failure to the library and, if it is this rank's own, to the others. Fails when no requests follow.
    fn treat(&mut self, failure: Failure) -> Result<()> {
        match failure {
            Failure::Own(error) if self.fail(&error) => {
                if let Some(joint) = self.ranks.report(&error) {
                    self.fail(&joint);
                }
                Ok(())
            }
            Failure::Joint(error) if self.fail(&error) => Ok(()),
            Failure::Own(error) | Failure::Joint(error) => Err(error),
        }
    }

    /// Answers the next request. Returns whether nothing was left.
    fn answer_next(&mut self) -> Answer<bool> {
        let mut request = sys::mixgrpo_velocity_request::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_trainer_next(self.raw(), &mut request) })?;
        match request.kind {
            sys::MIXGRPO_REQUEST_KIND_FINISHED => return Ok(true),
            sys::MIXGRPO_REQUEST_KIND_EVALUATE => self.evaluate(&LatentBatch::new(request))?,
            sys::MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP => self.step(request.minibatch, request.rate_factor)?,
            sys::MIXGRPO_REQUEST_KIND_KEEP_STATE => self.model.keep_state()?,
            sys::MIXGRPO_REQUEST_KIND_RESTORE_STATE => {
                self.model.restore_state().map_err(|error| self.ranks.leave(error))?;
            }
            sys::MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS => {
                self.model.zero_gradients().map_err(|error| self.ranks.leave(error))?;
            }
            sys::MIXGRPO_REQUEST_KIND_COMBINE_FIGURES => self.combine_figures()?,
            kind => {
                let message = format!("request: expected a known kind, got {kind}");
                return Err(Error::new(Status::Unsupported, message).into());
            }
        }
        Ok(false)
    }

    fn step(&mut self, minibatch: i32, rate_factor: f64) -> Answer<()> {
        self.ranks.agree()?;
        let report = self.model.step(minibatch, rate_factor)?;
        self.ranks.agree()?;
        let (norm, rate) = (report.gradient_norm, report.learning_rate);
        // SAFETY: the handle is alive.
        Ok(border::call(|| unsafe { sys::mixgrpo_trainer_submit_step(self.raw(), norm, rate) })?)
    }

    fn combine_figures(&mut self) -> Answer<()> {
        self.ranks.agree()?;
        let mut own = [0.0; sys::MIXGRPO_FIGURE_COUNT as usize];
        // SAFETY: the array has the size given.
        border::call(|| unsafe { sys::mixgrpo_trainer_get_figures(self.raw(), own.as_mut_ptr(), own.len()) })?;
        let all = self.ranks.gather_figures(&own).map_err(Failure::Joint)?;
        // SAFETY: all pointers are valid during the call.
        Ok(border::call(|| unsafe { sys::mixgrpo_trainer_submit_figures(self.raw(), all.as_ptr(), all.len()) })?)
    }

    fn evaluate(&mut self, batch: &LatentBatch) -> Result<()> {
        let reference = batch.needs_reference().then(|| self.model.reference_velocity(batch)).transpose()?;
        let velocity = self.model.velocity(batch)?;
        if let Some(reference) = &reference {
            same_size("reference_velocity", velocity.len(), reference.len())?;
        }
        let mut d_velocity: Vec<f32> = buffer(if batch.needs_gradient() { velocity.len() } else { 0 })?;
        let (raw, values, count) = (self.raw(), velocity.as_ptr(), velocity.len());
        let (frozen, capacity) = (optional(reference.as_deref()).0, d_velocity.len());
        let out = if batch.needs_gradient() { d_velocity.as_mut_ptr() } else { null_mut() };
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        border::call(|| unsafe { sys::mixgrpo_trainer_submit(raw, values, frozen, count, out, capacity) })?;
        if batch.needs_gradient() {
            self.model.backward(batch, &d_velocity)
        } else {
            Ok(())
        }
    }

    /// Reports a failure. Returns whether requests follow: to undo, or to go on as the fault policy says.
    fn fail(&mut self, error: &Error) -> bool {
        let message = CString::new(error.message().replace('\0', " ")).unwrap_or_default();
        // SAFETY: all pointers are valid during the call.
        let status = unsafe { sys::mixgrpo_trainer_fail(self.raw(), error.status().code(), message.as_ptr()) };
        status == sys::MIXGRPO_STATUS_OK
    }
}
