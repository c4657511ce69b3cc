//! The JetStream API.
fn main() {}
