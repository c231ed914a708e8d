//! What several objects share: evaluators and trainers share their model, trainers share their evaluator. `&mut` of one of
//! them does not exclude the others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::error::{Error, Result, Status};

/// Keeps calls apart that the C interface needs apart. No call waits, so none can wait forever: a call during another one is
/// refused.
#[derive(Debug)]
pub(crate) struct Guarded {
    field: &'static str,
    lock: RwLock<()>,
    frozen: AtomicUsize,
}

/// Keeps an object from being changed as long as it exists.
#[derive(Debug)]
pub(crate) struct Frozen<Shared: AsRef<Guarded>>(Arc<Shared>);

impl<Shared: AsRef<Guarded>> Frozen<Shared> {
    pub(crate) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let _reading = (**shared).as_ref().read()?;
        (**shared).as_ref().frozen.fetch_add(1, Ordering::AcqRel);
        Ok(Self(Arc::clone(shared)))
    }

    /// One more for another object.
    pub(crate) fn again(&self) -> Result<Self> {
        Self::new(&self.0)
    }
}

impl<Shared: AsRef<Guarded>> Drop for Frozen<Shared> {
    fn drop(&mut self) {
        (*self.0).as_ref().frozen.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Guarded {
    pub(crate) fn new(field: &'static str) -> Self {
        Self { field, lock: RwLock::new(()), frozen: AtomicUsize::new(0) }
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
        let guard = match self.lock.try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(self.in_use()),
        };
        if self.frozen.load(Ordering::Acquire) > 0 {
            let text = format!("{}: expected one that no adapter shares, got the base of an adapter", self.field);
            return Err(Error::new(Status::InvalidState, text));
        }
        Ok(guard)
    }

    fn in_use(&self) -> Error {
        let field = self.field;
        Error::new(Status::InvalidState, format!("{field}: expected no other call that uses it, got one in progress"))
    }
}
