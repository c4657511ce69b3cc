//! For tests of plugins and origins: conformance suites that every implementation has to pass, and models to run them on.
//! Not here: tests of the engine's streams.

mod conformance;
mod model_target;
mod scripted_origin;

pub use conformance::{check_origin, check_plugin};
pub use model_target::ModelTarget;
pub use scripted_origin::ScriptedOrigin;
