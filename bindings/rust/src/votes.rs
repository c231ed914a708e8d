//! Scores of a group's images from the votes of a person.

use crate::border::{buffer, call, count};
use crate::error::Result;
use crate::sys;

/// A reward from a person's ratings of one group, such as stars: mean normalised ranks, 0…1. `NaN` for no rating, in and out.
///
/// ```
/// let scores = mixgrpo::scores_from_ratings(&[1.0, 3.0, 3.0, f64::NAN])?;
/// assert_eq!(scores[..3], [0.0, 0.75, 0.75]);
/// assert!(scores[3].is_nan());
/// # Ok::<(), mixgrpo::Error>(())
/// ```
pub fn scores_from_ratings(ratings: &[f64]) -> Result<Vec<f64>> {
    let mut scores = buffer::<f64>(ratings.len())?;
    // SAFETY: both pointers are valid during the call, and of the sizes given.
    call(|| unsafe {
        sys::mixgrpo_scores_from_ratings(ratings.as_ptr(), ratings.len(), scores.as_mut_ptr(), scores.len())
    })?;
    Ok(scores)
}

/// A reward from pairs of one group, winner and loser: strengths of the model of Bradley and Terry, 0…1. `NaN` for an image in no
/// pair.
///
/// ```
/// let scores = mixgrpo::scores_from_pairs(&[(0, 1), (1, 0)], 3)?;
/// assert_eq!(scores[..2], [0.5, 0.5]);
/// assert!(scores[2].is_nan());
/// # Ok::<(), mixgrpo::Error>(())
/// ```
pub fn scores_from_pairs(pairs: &[(i32, i32)], group_size: usize) -> Result<Vec<f64>> {
    let group = count(group_size, "group_size")?;
    let mut indices = buffer::<i32>(2 * pairs.len())?;
    for (index, value) in pairs.iter().flat_map(|pair| [pair.0, pair.1]).enumerate() {
        indices[index] = value;
    }
    let mut scores = buffer::<f64>(group_size)?;
    // SAFETY: both pointers are valid during the call, and of the sizes given.
    call(|| unsafe {
        sys::mixgrpo_scores_from_pairs(indices.as_ptr(), pairs.len(), group, scores.as_mut_ptr(), scores.len())
    })?;
    Ok(scores)
}
