//! See the library.
use headwater_simulator::{run, world::Faults};
fn main() {
    let from: u64 = std::env::args().nth(1).and_then(|t| t.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::args().nth(2).and_then(|t| t.parse().ok()).unwrap_or(1);
    let loud = std::env::args().nth(3).is_some();
    let steps: Vec<u64> = (0..run::STEPS).collect();
    if !loud { std::panic::set_hook(Box::new(|_| {})); }
    let begun = std::time::Instant::now();
    let mut sum = headwater_simulator::world::Counts::default();
    for seed in from..from + count {
        let outcome = run::run(seed, &steps, Faults::ALL, loud);
        if let Some((step, text)) = outcome.failure {
            println!("seed {seed} step {step}: {text}");
        }
        sum.add(&outcome.counts);
    }
    println!("{sum:?} {} points in {:?}", sum.points(), begun.elapsed());
}
