//! Ranks that train one model together. Here they are threads.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use mixgrpo::*;

use crate::small;

/// What the ranks have sent, between two barriers.
pub struct Table {
    barrier: Barrier,
    sent: Mutex<Vec<Vec<u8>>>,
    sizes: Mutex<Vec<Vec<usize>>>,
}

#[derive(Clone)]
pub struct Member {
    table: Arc<Table>,
    pub rank: usize,
    pub size: usize,
    is_failing: bool,
}

impl Member {
    /// So many ranks.
    pub fn all(size: usize) -> Vec<Self> {
        let table = Arc::new(Table {
            barrier: Barrier::new(size),
            sent: Mutex::new(vec![Vec::new(); size]),
            sizes: Mutex::new(vec![Vec::new(); size]),
        });
        (0..size).map(|rank| Self { table: Arc::clone(&table), rank, size, is_failing: false }).collect()
    }

    fn outcome(&self) -> Result<()> {
        assert!(!self.is_failing, "out of order");
        Ok(())
    }
}

impl Collective for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, sent: &[u8], received: &mut [u8]) -> Result<()> {
        self.table.sent.lock().unwrap()[self.rank] = sent.to_vec();
        self.table.barrier.wait();
        received.copy_from_slice(&self.table.sent.lock().unwrap().concat());
        self.table.barrier.wait();
        self.outcome()
    }

    fn all_to_all(
        &self, sent: &[u8], sent_bytes: &[usize], received: &mut [u8], received_bytes: &[usize],
    ) -> Result<()> {
        self.table.sent.lock().unwrap()[self.rank] = sent.to_vec();
        self.table.sizes.lock().unwrap()[self.rank] = sent_bytes.to_vec();
        self.table.barrier.wait();
        let (all, sizes) = (self.table.sent.lock().unwrap().clone(), self.table.sizes.lock().unwrap().clone());
        let mut place = 0;
        for (rank, bytes) in received_bytes.iter().enumerate() {
            let first: usize = sizes[rank][..self.rank].iter().sum();
            received[place..place + bytes].copy_from_slice(&all[rank][first..first + bytes]);
            place += bytes;
        }
        self.table.barrier.wait();
        self.outcome()
    }
}

fn brightness(samples: &[f32], size: usize) -> Vec<f64> {
    samples.chunks(size).map(|sample| sample.iter().map(|value| f64::from(*value)).sum()).collect()
}

/// The weights after one iteration of each of so many ranks.
fn train(size: usize, collective: impl Fn(usize) -> Box<dyn Collective>) -> Vec<Vec<f32>> {
    let ranks: Vec<_> = (0..size)
        .map(|rank| {
            let collective = collective(rank);
            thread::spawn(move || {
                let context = Context::new(1).unwrap();
                let (model, prompts) = (small::model(&context), small::prompts(&context));
                let (evaluator, plan) = (small::evaluator(&model), small::plan());
                let mut trainer =
                    Trainer::new(&evaluator, &prompts, &plan, &small::learning(), &["brightness"], false).unwrap();
                trainer.set_collective(Some(collective)).unwrap();
                let values = trainer.share(3).len() * small::GROUP * trainer.latent_size();
                let drawn = trainer.rollout_ticket(&[0, 1, 2]).unwrap();
                assert_eq!((drawn.prompts.len(), drawn.samples.len()), (trainer.share(3).len(), values));
                trainer.drop_tickets().unwrap();
                let samples = trainer.rollout(&[0, 1, 2]).unwrap();
                assert_eq!(samples.len(), values);
                trainer.update(&brightness(&samples, trainer.latent_size()), None).unwrap();
                model.weights().unwrap()
            })
        })
        .collect();
    ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
}

/// With the transport of this file.
fn train_by_table(size: usize) -> Vec<Vec<f32>> {
    let members = Member::all(size);
    train(size, |rank| Box::new(members[rank].clone()))
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let one = train_by_table(1);
    for size in [2, 4] {
        assert!(train_by_table(size).iter().all(|weights| *weights == one[0]), "{size} ranks");
    }
}

/// A rank of the library behind a collective of the host's.
struct Wrapped(LocalRank);

impl Collective for Wrapped {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn all_gather(&self, sent: &[u8], received: &mut [u8]) -> Result<()> {
        self.0.all_gather(sent, received)
    }

    fn all_to_all(
        &self, sent: &[u8], sent_bytes: &[usize], received: &mut [u8], received_bytes: &[usize],
    ) -> Result<()> {
        self.0.all_to_all(sent, sent_bytes, received, received_bytes)
    }
}

fn local_ranks(count: usize) -> LocalRanks {
    LocalRanks::new(count, Duration::from_secs(60)).unwrap()
}

#[test]
fn threads_train_to_the_bits_of_one_rank() {
    let one = train_by_table(1);
    for size in [2, 3] {
        let ranks = local_ranks(size);
        let weights = train(size, |rank| Box::new(ranks.collective(rank).unwrap()));
        assert!(weights.iter().all(|weights| *weights == one[0]), "{size} ranks");
        let ranks = local_ranks(size);
        let weights = train(size, |rank| Box::new(Wrapped(ranks.collective(rank).unwrap())));
        assert!(weights.iter().all(|weights| *weights == one[0]), "{size} wrapped ranks");
    }
}

#[test]
fn a_rank_that_leaves_ends_the_others() {
    let (context, ranks) = (Context::new(1).unwrap(), local_ranks(2));
    ranks.abandon("no rewards").unwrap();
    let refused = small::trainer(&context).set_collective(Some(Box::new(ranks.collective(0).unwrap()))).unwrap_err();
    assert!(refused.status() == Status::InputOutput && refused.message().contains("no rewards"), "{refused}");
}

#[test]
fn buffers_of_other_sizes_are_refused() {
    let ranks = local_ranks(1);
    let rank = ranks.collective(0).unwrap();
    let mut received = [0; 4];
    assert_eq!(rank.all_gather(&[1, 2], &mut received).unwrap_err().status(), Status::InvalidArgument);
    rank.all_to_all(&[1, 2, 3, 4], &[4], &mut received, &[4]).unwrap();
    assert_eq!(received, [1, 2, 3, 4]);
    for (sent, other) in [(&[4, 0][..], &[4][..]), (&[4], &[]), (&[3], &[4]), (&[4], &[5])] {
        assert!(rank.all_to_all(&[1, 2, 3, 4], sent, &mut received, other).is_err());
    }
    assert!(ranks.collective(1).is_err() && LocalRanks::new(0, Duration::from_secs(1)).is_err());
    assert!(LocalRanks::new(2, Duration::ZERO).is_err());
}

#[test]
#[should_panic(expected = "out of order")]
fn a_panic_of_a_collective_is_resumed() {
    let context = Context::new(1).unwrap();
    let table = Table { barrier: Barrier::new(1), sent: Mutex::new(vec![vec![]; 2]), sizes: Mutex::new(vec![]) };
    let member = Member { table: Arc::new(table), rank: 0, size: 2, is_failing: true };
    table_of_one(&member);
    let _ = small::trainer(&context).set_collective(Some(Box::new(member)));
}

/// The other rank sends nothing.
fn table_of_one(member: &Member) {
    member.table.sent.lock().unwrap()[1] = vec![0; 512];
}
