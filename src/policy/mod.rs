//! What HTTP allows a shared cache to store, for how long, for whom, and what it must ask the origin again.
//!
//! Pure: `now` is an argument, a decision is a value that comes back, and every refusal has a name.
//! RFC 9111, RFC 5861 and the conditions of RFC 9110.

mod age;
mod choices;
mod coding;
mod credentials;
mod forgeable;
mod freshness;
mod identities;
mod invalidation;
mod lifetime;
mod methods;
mod partial;
mod reuse;
mod storable;
mod validation;
mod vary;

pub use age::{age_value, corrected_initial_age, current_age};
pub use choices::{Choices, SetCookie};
pub use coding::{coding_for, forbids_transforming, may_encode};
pub use credentials::{credential_in, is_credential};
pub use forgeable::{is_forgeable, is_overriding};
pub use freshness::{defeats_the_route, is_heuristically_cacheable, lifetime};
pub use invalidation::{Effect, effect, invalidates, named_on_origin, path_of};
pub use lifetime::{Lifetime, LifetimeSource};
pub use methods::{is_safe, registered, unsafe_methods};
pub use partial::{Selected, asks_for_part, combined, joined, selected, selected_of_part, storable_part};
pub use reuse::{
    Reuse, Stored, StoredFlags, lifetime_today, may_serve_on_error, only_if_cached, reuse, ttl_left, wants_the_origin,
};
pub use storable::{BodyFraming, Exchange, blames_the_request, credential_that_counts, storable};
pub use validation::{
    Told, conditional_for, confirms, fields_for_304, freshen, has_validator, not_modified, told_by_head,
};
pub use vary::selecting;
