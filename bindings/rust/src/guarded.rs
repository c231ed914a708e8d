//! What several objects share: evaluators and trainers share their model, trainers share their evaluator. `&mut` of one of
//! them does not exclude the others.

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::error::{Error, Result, Status};

/// Keeps calls apart that the C interface needs apart. No call waits, so none can wait forever: a call during another one is
/// refused.
#[derive(Debug)]
pub(crate) struct Guarded {
    field: &'static str,
    lock: RwLock<()>,
}

impl Guarded {
    pub(crate) fn new(field: &'static str) -> Self {
        Self { field, lock: RwLock::new(()) }
    }

    /// For a call that only reads.
    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, ()>> {
        match self.lock.try_read() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(self.in_use()),
        }
    }

    /// For an exclusive call.
    pub(crate) fn change(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        match self.lock.try_write() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(self.in_use()),
        }
    }

    fn in_use(&self) -> Error {
        let field = self.field;
        Error::new(Status::InvalidState, format!("{field}: expected no other call that uses it, got one in progress"))
    }
}
