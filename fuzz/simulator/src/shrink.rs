//! A shorter run that fails too: blocks of steps are left out, then halves of them, as long as something fails.
//! Not here: what a step is (`steps`).

use crate::{run::run, world::Faults};

/// Runs that are tried, at most.
const TRIES_MAX: u32 = 400;

/// Steps of a seed with which it still fails.
pub fn shrink(seed: u64, steps: &[u64], faults: Faults) -> Vec<u64> {
    let mut steps = steps.to_vec();
    let mut tries = 0;
    let mut block = steps.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut is_shorter = false;
        while from < steps.len() && tries < TRIES_MAX {
            tries += 1;
            let rest: Vec<u64> = steps
                .iter()
                .enumerate()
                .filter(|(index, _)| !(from..from + block).contains(index))
                .map(|(_, step)| *step)
                .collect();
            if run(seed, &rest, faults, false).failure.is_some() {
                steps = rest;
                is_shorter = true;
            } else {
                from += block;
            }
        }
        if block == 1 && (!is_shorter || tries >= TRIES_MAX) {
            return steps;
        }
        block = block.div_ceil(2).min(block - usize::from(block > 1)).max(1);
    }
}

/// Steps in words: single ones and ranges.
pub fn write_steps(steps: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for step in steps {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *step => *last = *step,
            _ => ranges.push((*step, *step)),
        }
    }
    let text = |(first, last): (u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// Steps from words; `None` where they are none.
pub fn read_steps(text: &str) -> Option<Vec<u64>> {
    let mut steps = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            Some((first, last)) => {
                steps.extend(first.parse::<u64>().ok()?..=last.parse::<u64>().ok()?)
            }
            None => steps.push(part.parse().ok()?),
        }
    }
    Some(steps)
}
