//! Ranks that train one model together. Here they are threads.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

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
fn train(size: usize) -> Vec<Vec<f32>> {
    let ranks: Vec<_> = Member::all(size)
        .into_iter()
        .map(|member| {
            thread::spawn(move || {
                let context = Context::new(1).unwrap();
                let (model, prompts) = (small::model(&context), small::prompts(&context));
                let (evaluator, plan) = (small::evaluator(&model), small::plan());
                let mut trainer =
                    Trainer::new(&evaluator, &prompts, &plan, &small::learning(), &["brightness"], false).unwrap();
                trainer.set_collective(Some(Box::new(member))).unwrap();
                let samples = trainer.rollout(&[0, 1, 2]).unwrap();
                assert_eq!(samples.len(), trainer.share(3).len() * small::GROUP * trainer.latent_size());
                trainer.update(&brightness(&samples, trainer.latent_size()), None).unwrap();
                model.weights().unwrap()
            })
        })
        .collect();
    ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let one = train(1);
    for size in [2, 4] {
        assert!(train(size).iter().all(|weights| *weights == one[0]), "{size} ranks");
    }
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
