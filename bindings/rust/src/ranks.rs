//! What the ranks of a host's trainer exchange: failures, figures, settings and scores. Gradients are the host's.

use std::fmt;
use std::ops::Range;

use crate::border::{buffer, product, same_size};
use crate::collective::Collective;
use crate::error::{Error, Result, Status};
use crate::sys;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A failure of this rank, of which the others do not know yet.
    Own(Error),
    /// A failure that the other ranks know of, or that cannot reach them.
    Joint(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// What every rank sends of itself: status, token of its call, and the text of a failure, filled up with zeros.
const STATUS_BYTES: usize = 4;
const TOKEN_BYTES: usize = 8;
const TEXT_BYTES: usize = 500;

/// The ranks that train one model together; by default a process that trains alone.
pub(crate) struct Ranks {
    collective: Option<Box<dyn Collective>>,
    // As they were at first: the lengths of buffers must not depend on code that may answer otherwise later.
    rank: usize,
    size: usize,
    /// Why this rank takes part in no exchange any more.
    left: Option<Error>,
}

impl fmt::Debug for Ranks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ranks").field("rank", &self.rank).field("size", &self.size).finish()
    }
}

impl Ranks {
    pub(crate) fn new(collective: Option<Box<dyn Collective>>) -> Self {
        let (rank, size) = collective.as_ref().map_or((0, 1), |collective| (collective.rank(), collective.size()));
        Self { collective, rank, size, left: None }
    }

    /// This rank, and the number of ranks.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.rank, self.size)
    }

    /// The places of this rank's prompts among so many.
    pub(crate) fn share(&self, prompts: usize) -> Range<usize> {
        self.share_of(self.rank, prompts)
    }

    fn share_of(&self, rank: usize, prompts: usize) -> Range<usize> {
        rank * prompts / self.size..(rank + 1) * prompts / self.size
    }

    // MARK: Failures

    /// Waits for all ranks. Fails when one of them has failed.
    pub(crate) fn agree(&mut self) -> std::result::Result<(), Failure> {
        match self.failure_of_all(None, 0) {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(Failure::Joint(error)),
        }
    }

    /// Reports a failure to the others. Returns the failure that all ranks treat in its place, if it is another.
    pub(crate) fn report(&mut self, own: &Error) -> Option<Error> {
        self.failure_of_all(Some(own), 0).unwrap_or_else(Some)
    }

    /// Does the same on all ranks. Fails on all of them when it has failed on one, or when the tokens differ.
    pub(crate) fn together<T>(&mut self, own: Result<T>, token: u64) -> Result<T> {
        match self.failure_of_all(own.as_ref().err(), token) {
            Ok(None) => own,
            Ok(Some(error)) | Err(error) => own.and(Err(error)),
        }
    }

    /// Leaves the ranks, as this one cannot go on.
    pub(crate) fn leave(&mut self, error: Error) -> Failure {
        self.left = Some(error.clone());
        Failure::Joint(error)
    }

    /// The failure that all ranks treat: the first that is no fault of the numbers, otherwise the first. None when no rank has
    /// failed, and when `own` stands.
    fn failure_of_all(&mut self, own: Option<&Error>, token: u64) -> Result<Option<Error>> {
        if self.size == 1 {
            return Ok(None);
        }
        let message = encoded(own, token);
        let all = self.gather(&message)?;
        let states = || all.chunks(message.len()).enumerate();
        let (faults, others): (Vec<_>, Vec<_>) =
            states().filter_map(|(rank, state)| failure(rank, state)).partition(is_fault);
        let stands = own.is_some_and(|own| !is_fault(own) || others.is_empty());
        let other_call =
            || states().find(|(_, state)| token_of(state) != token_of(&all)).map(|(rank, _)| another_call(rank));
        Ok(others.into_iter().chain(faults).next().or_else(other_call).filter(|_| !stands))
    }

    // MARK: Values

    /// The figures of all ranks, one after the other.
    pub(crate) fn gather_figures(&mut self, own: &[f64]) -> Result<Vec<f64>> {
        Ok(numbers(&self.gather(&bytes(own))?))
    }

    /// Fails on all ranks when a line of JSON is not the same on all, and names the entry.
    pub(crate) fn require_same(&mut self, own: &str) -> Result<()> {
        let lengths = numbers(&self.gather(&bytes(&[own.len() as f64]))?);
        let most = lengths.iter().fold(0, |most, length| (*length as usize).max(most));
        let mut padded: Vec<u8> = buffer(most)?;
        padded[..own.len()].copy_from_slice(own.as_bytes());
        let all = self.gather(&padded)?;
        let first = &all[..most];
        for (rank, other) in all.chunks(most.max(1)).enumerate() {
            if let Some(place) = (0..most).find(|place| first[*place] != other[*place]) {
                let (expected, got) = (entry(first, place), entry(other, place));
                return Err(Error::invalid(format!(
                    "settings: expected the same on every rank, as {expected} on rank 0, got {got} on rank {rank}"
                )));
            }
        }
        Ok(())
    }

    /// Scores of this rank's share, (K, share, S), put together to those of all ranks, (K, P, S).
    pub(crate) fn gather_scores(&mut self, own: &[f64], shape: [usize; 3]) -> Result<Vec<f64>> {
        let [rows, prompts, samples] = shape;
        let share = self.share(prompts).len();
        self.together(
            same_size("scores", product(&[rows, share, samples]), own.len()),
            token("scores", shape.map(|count| count as u64)),
        )?;
        let (part, row) = (share * samples, prompts.div_ceil(self.size) * samples);
        let mut padded: Vec<f64> = buffer(product(&[rows, row]))?;
        for index in 0..rows {
            padded[index * row..][..part].copy_from_slice(&own[index * part..][..part]);
        }
        let all = numbers(&self.gather(&bytes(&padded))?);
        let mut scores: Vec<f64> = buffer(product(&shape))?;
        for rank in 0..self.size {
            let places = self.share_of(rank, prompts);
            let (first, part) = (places.start * samples, places.len() * samples);
            for index in 0..rows {
                let from = &all[(rank * rows + index) * row..][..part];
                scores[index * prompts * samples + first..][..part].copy_from_slice(from);
            }
        }
        Ok(scores)
    }

    /// What every rank has sent, in order. A failed exchange is the last one.
    fn gather(&mut self, sent: &[u8]) -> Result<Vec<u8>> {
        let Some(collective) = &self.collective else { return Ok(sent.to_vec()) };
        if let Some(error) = &self.left {
            return Err(error.clone());
        }
        let mut received = buffer(product(&[sent.len(), self.size]))?;
        let exchanged = collective.all_gather(sent, &mut received);
        exchanged.map(|()| received).map_err(|error| {
            let text = format!("collective: expected all_gather to succeed, got: {}", error.message());
            self.left.insert(Error::new(Status::InputOutput, text)).clone()
        })
    }
}

/// Whether a fault policy decides about an error.
fn is_fault(error: &Error) -> bool {
    matches!(error.status(), Status::NotFinite | Status::Diverged)
}

/// A number that differs when calls or their values do (FNV-1a).
pub(crate) fn token(call: &str, values: impl IntoIterator<Item = u64>) -> u64 {
    let numbers = call.bytes().map(u64::from).chain(values);
    numbers.fold(0xcbf2_9ce4_8422_2325, |hash, number| (hash ^ number).wrapping_mul(0x100_0000_01b3))
}

fn encoded(error: Option<&Error>, token: u64) -> Vec<u8> {
    let status = error.map_or(sys::MIXGRPO_STATUS_OK, |error| error.status().code());
    let text = error.map_or("", Error::message).as_bytes();
    let mut message = [&status.to_ne_bytes()[..], &token.to_ne_bytes(), &text[..text.len().min(TEXT_BYTES)]].concat();
    message.resize(STATUS_BYTES + TOKEN_BYTES + TEXT_BYTES, 0);
    message
}

/// The failure that a rank has sent; None for a rank without one.
fn failure(rank: usize, state: &[u8]) -> Option<Error> {
    let status = sys::mixgrpo_status::from_ne_bytes(state[..STATUS_BYTES].try_into().ok()?);
    let text = String::from_utf8_lossy(&state[STATUS_BYTES + TOKEN_BYTES..]);
    (status != sys::MIXGRPO_STATUS_OK)
        .then(|| Error::new(Status::of(status), format!("rank {rank}: {}", text.trim_end_matches('\0'))))
}

fn token_of(state: &[u8]) -> &[u8] {
    &state[STATUS_BYTES..STATUS_BYTES + TOKEN_BYTES]
}

fn another_call(rank: usize) -> Error {
    let expected = "call: expected the same with the same values on every rank, as on rank 0";
    Error::new(Status::InvalidArgument, format!("{expected}, got another on rank {rank}"))
}

/// The entry of a line of JSON around a place.
fn entry(json: &[u8], place: usize) -> String {
    let is_border = |byte: &u8| matches!(byte, b'{' | b'}' | b',' | 0);
    let start = json[..place].iter().rposition(is_border).map_or(0, |border| border + 1);
    let end = json[place..].iter().position(is_border).map_or(json.len(), |border| place + border);
    String::from_utf8_lossy(&json[start..end]).into_owned()
}

fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|chunk| f64::from_ne_bytes(chunk.try_into().unwrap_or_default())).collect()
}
