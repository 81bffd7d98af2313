//! Listeners, cores, limits, shutdown.

mod settings;

pub use settings::ServerSettings;
