//! Command-line options, and numbers as C prints them.

use std::path::PathBuf;
use std::str::FromStr;

use crate::Outcome;

const USAGE: &str =
    "usage: align [--model FOLDER] [--out FOLDER] [--iterations N] [--eval-steps N] [--learning-rate R] \
                     [--seed N] [--threads N]";

pub struct Options {
    pub model: PathBuf,
    pub out: PathBuf,
    pub iterations: usize,
    pub eval_steps: i32,
    pub learning_rate: f64,
    pub seed: u64,
    pub threads: i32,
}

impl Options {
    pub fn parse() -> Outcome<Self> {
        let mut options = Self {
            model: "examples/base".into(),
            out: "out".into(),
            iterations: 24,
            eval_steps: crate::STEPS,
            learning_rate: 2e-5,
            seed: 0,
            threads: 0,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            match name.as_str() {
                "--model" => options.model = value.into(),
                "--out" => options.out = value.into(),
                "--iterations" => options.iterations = number(&name, &value)?,
                "--eval-steps" => options.eval_steps = number(&name, &value)?,
                "--learning-rate" => options.learning_rate = number(&name, &value)?,
                "--seed" => options.seed = number(&name, &value)?,
                "--threads" => options.threads = number(&name, &value)?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Outcome<T> {
    value.parse().map_err(|_| format!("{name}: expected a number, got \"{value}\"").into())
}

/// 17 significant digits, enough to restore the same double, without trailing zeros: C's "%.17g" below 1e17.
pub fn digits(value: f64) -> String {
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let trimmed = |digits: &str| digits.trim_end_matches('0').trim_end_matches('.').to_string();
    match exponent.parse::<i32>().unwrap_or(0) {
        small if small < -4 => format!("{}e-{:02}", trimmed(mantissa), -small),
        exponent => trimmed(&format!("{value:.*}", usize::try_from(16 - exponent).unwrap_or(0)) as &str),
    }
}
