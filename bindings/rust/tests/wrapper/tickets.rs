//! Iterations drawn as several rollouts, whose rewards come from other threads.

use std::sync::mpsc;
use std::thread;

use mixgrpo::*;

use crate::small::{self, GROUP};

fn score(drawn: &TicketedSamples) -> Vec<f64> {
    let size = drawn.samples.len() / (drawn.prompts.len() * GROUP);
    drawn.samples.chunks(size).map(|sample| sample.iter().map(|value| f64::from(*value)).sum()).collect()
}

#[test]
fn rewards_from_other_threads_give_the_numbers_of_one_rollout() {
    let context = Context::new(1).unwrap();
    let (mut whole, mut ticketed) = (small::trainer(&context), small::trainer(&context));
    let all = TicketedSamples { ticket: 0, prompts: vec![2, 0], samples: whole.rollout(&[2, 0]).unwrap() };
    let expected = whole.update(&score(&all), None).unwrap();

    let inbox = ticketed.inbox();
    let (drawn, is_drawn) = mpsc::channel();
    let first = ticketed.rollout_ticket(&[2]).unwrap();
    thread::scope(|threads| {
        let (inbox, first) = (&inbox, &first);
        let slow = threads.spawn(move || {
            is_drawn.recv().unwrap(); // the next rollout, while this one is being scored
            inbox.submit(first.ticket, &score(first)).unwrap();
        });
        let second = ticketed.rollout_ticket(&[0]).unwrap();
        assert_eq!([first.samples.as_slice(), second.samples.as_slice()].concat(), all.samples);
        assert_eq!(inbox.open_tickets().unwrap(), [first.ticket, second.ticket]);
        inbox.submit(second.ticket, &score(&second)).unwrap();
        let error = ticketed.update_tickets(MissingRewards::Refuse, None).unwrap_err();
        assert_eq!(error.status(), Status::InvalidState);
        assert!(error.to_string().contains(&format!("[{}]", first.ticket)), "{error}");
        drawn.send(()).unwrap();
        slow.join().unwrap();
    });
    let metrics = ticketed.update_tickets(MissingRewards::Refuse, None).unwrap();
    assert_eq!((metrics.loss.to_bits(), metrics.iteration), (expected.loss.to_bits(), 0));
    assert_eq!(metrics.gradient_norm.to_bits(), expected.gradient_norm.to_bits());
}

#[test]
fn a_ticket_takes_rewards_once_and_only_in_its_iteration() {
    let mut trainer = small::trainer(&Context::new(1).unwrap());
    let inbox = trainer.inbox();
    let drawn = trainer.rollout_ticket(&[1]).unwrap();
    let rewards = score(&drawn);
    assert_eq!(inbox.submit(drawn.ticket, &rewards[1..]).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(trainer.rollout(&[0]).unwrap_err().status(), Status::InvalidState);
    assert_eq!(trainer.rollout_ticket(&[1]).unwrap_err().status(), Status::InvalidArgument);
    inbox.submit(drawn.ticket, &rewards).unwrap();
    assert_eq!(inbox.submit(drawn.ticket, &rewards).unwrap_err().status(), Status::InvalidState);
    trainer.update_tickets(MissingRewards::Refuse, Some(&[2.0])).unwrap();
    assert_eq!(inbox.submit(drawn.ticket, &rewards).unwrap_err().status(), Status::InvalidState);
    trainer.rollout_ticket(&[1]).unwrap();
    let metrics = trainer.update_tickets(MissingRewards::Exclude, None).unwrap();
    assert_eq!((metrics.failed_rewards, metrics.iteration), (GROUP as i32, 1));
    trainer.rollout_ticket(&[1]).unwrap();
    trainer.drop_tickets().unwrap();
    assert!(inbox.open_tickets().unwrap().is_empty());
    drop(trainer);
    // An inbox may outlive the trainer.
    assert_eq!(inbox.submit(4, &rewards).err().map(|error| error.status()), Some(Status::InvalidArgument));
}
