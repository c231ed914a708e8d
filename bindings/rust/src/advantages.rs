//! Group advantages from rewards.

use crate::border::{buffer, count, optional, product, same_size};
use crate::configurations::LearningConfig;
use crate::error::{Error, Result};
use crate::mirror::MirrorStruct;
use crate::structs::AdvantageReport;
use crate::sys;

/// How good each sample is compared with the others of its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Advantages {
    /// (P, G); 0 for an excluded sample.
    pub values: Vec<f64>,
    /// (P, G); false for an excluded sample.
    pub included: Vec<bool>,
    /// Counts of failed rewards and excluded samples.
    pub report: AdvantageReport,
}

impl Advantages {
    /// Group advantages (MixGRPO §3.1) of `rewards`, (K, P, G) with G = `group_size` ≥ 2 and P = `prompt_count`. A sample
    /// with a NaN or infinite reward (of nonzero weight) is excluded from mean, std and loss.
    ///
    /// `weights`: (K), each 0 or more, finite, not all 0; `None` for 1 each.
    ///
    /// ```
    /// use mixgrpo::{Advantages, LearningConfig};
    ///
    /// let advantages = Advantages::new(&LearningConfig::default(), &[0.0, 1.0, f64::NAN, 2.0], 1, 4, None)?;
    /// assert_eq!(advantages.included, [true, true, false, true]);
    /// assert!(advantages.values[0] < 0.0 && advantages.values[3] > 0.0);
    /// # Ok::<(), mixgrpo::Error>(())
    /// ```
    pub fn new(
        config: &LearningConfig, rewards: &[f64], prompt_count: usize, group_size: usize, weights: Option<&[f64]>,
    ) -> Result<Self> {
        let samples = product(&[prompt_count, group_size]);
        let reward_count = rewards.len() / samples.max(1);
        same_size("rewards", product(&[reward_count.max(1), samples]), rewards.len())?;
        let group = count(group_size, "group_size")?;
        let (config, (weights, weight_count)) = (config.to_raw(), optional(weights));
        let (mut values, mut included) = (buffer::<f64>(samples)?, buffer::<u8>(samples)?);
        let (out, flags, given) = (values.as_mut_ptr(), included.as_mut_ptr(), rewards.as_ptr());
        // SAFETY: all pointers are valid during the call, and of the sizes checked above.
        let report = AdvantageReport::read(|report| unsafe {
            sys::mixgrpo_advantages(
                &config,
                given,
                reward_count,
                prompt_count,
                group,
                weights,
                weight_count,
                out,
                flags,
                samples,
                report,
            )
        })?;
        Ok(Self { values, included: included.into_iter().map(|flag| flag != 0).collect(), report })
    }

    /// The host's own advantages, (P, G), with all samples included.
    pub fn given(values: Vec<f64>) -> Result<Self> {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid(format!("advantages: expected finite values, got {value}")));
        }
        let report =
            AdvantageReport { failed_rewards: 0, excluded_samples: 0, degenerate_groups: 0, dropped_groups: 0 };
        Ok(Self { included: vec![true; values.len()], values, report })
    }
}
