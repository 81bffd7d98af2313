//! A request's way from ingress to answer.

mod settings;

pub use settings::ProxySettings;
