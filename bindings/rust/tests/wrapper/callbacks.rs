//! Receivers of log lines and progress, and their panics.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use mixgrpo::*;

use crate::small::{self, brightness};

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().unwrap_or("another kind of panic")
}

#[test]
fn progress_counts_up_to_its_total() {
    let (context, received) = (Context::new(1).unwrap(), Arc::new(Mutex::new(Vec::new())));
    let mut trainer = small::trainer(&context);
    let listener = Arc::clone(&received);
    context.set_progress(move |progress| listener.lock().unwrap().push(progress));
    trainer.rollout(&[0, 1]).unwrap();
    let received = received.lock().unwrap();
    assert!(received.iter().all(|progress| progress.stage == Stage::Rollout));
    assert!(received.windows(2).all(|pair| pair[0].done < pair[1].done));
    assert_eq!(received.last().map(|progress| progress.done), received.last().map(|progress| progress.total));
    assert!(received.len() > 1);
}

#[test]
fn a_panic_in_a_receiver_is_resumed_and_leaves_everything_as_before() {
    let context = Context::new(2).unwrap();
    let (mut troubled, mut calm) = (small::trainer(&context), small::trainer(&context));
    let samples = troubled.rollout(&[0, 1]).unwrap();
    context.set_progress(|progress| assert!(progress.done < 5, "enough"));
    let rewards: Vec<f64> = (0..8).map(f64::from).collect();
    let panic = catch_unwind(AssertUnwindSafe(|| troubled.update(&rewards, None))).unwrap_err();
    assert_eq!(message(&*panic), "enough");
    assert!(!context.is_cancelled());
    context.silence();
    let after = troubled.update(&rewards, None).unwrap();
    assert_eq!(calm.rollout(&[0, 1]).unwrap(), samples);
    assert_eq!(after.loss.to_bits(), calm.update(&rewards, None).unwrap().loss.to_bits());
}

#[test]
fn a_panic_does_not_undo_the_host_s_cancel() {
    let context = Context::new(1).unwrap();
    let mut trainer = small::trainer(&context);
    let canceller = context.clone();
    context.set_progress(move |_| {
        canceller.cancel();
        panic!("both at once");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| trainer.rollout(&[0]).map(drop))).is_err());
    assert!(context.is_cancelled());
    context.silence(); // the receiver holds a clone of the context
}

#[test]
fn a_panic_in_a_nested_call_is_resumed_in_the_outer_call() {
    let (outer, inner) = (Context::new(1).unwrap(), Context::new(1).unwrap());
    let mut trainer = small::trainer(&outer);
    let nested = Mutex::new(small::trainer(&inner));
    inner.set_progress(|_| panic!("from within"));
    outer.set_progress(move |_| drop(nested.lock().unwrap().rollout(&[0])));
    let panic = catch_unwind(AssertUnwindSafe(|| trainer.rollout(&[0]).map(drop))).unwrap_err();
    assert_eq!(message(&*panic), "from within");
    assert!(!outer.is_cancelled() && !inner.is_cancelled());
}

#[test]
fn a_receiver_may_call_the_library_and_replace_itself() {
    let context = Context::new(1).unwrap();
    let mut trainer = small::trainer(&context);
    let own = context.clone();
    context.set_progress(move |_| {
        small::prompts(&own);
        own.set_progress(|_| ());
    });
    trainer.rollout(&[0]).unwrap();
}

#[test]
fn a_cancelled_training_can_go_on() {
    let context = Context::new(2).unwrap();
    let mut trainer = small::trainer(&context);
    context.cancel();
    let error = train(&mut trainer, brightness).next().unwrap().unwrap_err();
    assert!(error.is_cancelled());
    context.reset_cancel();
    assert_eq!(train(&mut trainer, brightness).next().unwrap().unwrap().iteration, 0);
}
