//! What routes mean together: none hidden, none ambiguous, no two with one name or one key.

use super::findings::{Findings, Problem};
use super::route::Draft;
use crate::rules::{Routes, Surroundings, Template, WriteRule};

/// All routes in the file's order; `None` when they cannot be used together.
pub(super) fn resolve(
    drafts: Vec<Draft>,
    writes: Vec<WriteRule>,
    around: &Surroundings,
    findings: &mut Findings<'_>,
) -> Option<Routes> {
    for (index, later) in drafts.iter().enumerate() {
        for (before, earlier) in drafts.iter().take(index).enumerate() {
            let above = drafts.get(..before).unwrap_or_default();
            check_paths(earlier, later, above, findings);
            check_names(earlier, later, findings);
            check_keys(earlier, later, findings);
            check_policies(earlier, later, findings);
        }
    }
    if findings.has_errors() {
        return None;
    }
    for draft in &drafts {
        note_no_lifetime(draft, findings);
    }
    let places: Vec<_> = drafts.iter().map(|draft| draft.path.clone()).collect();
    let routes = Routes::new(drafts.into_iter().map(|draft| draft.route).collect(), writes, around);
    routes
        .map_err(|hidden| {
            let place = places.get(hidden.route).cloned().unwrap_or_default();
            findings.error(place, "an earlier route matches all its paths", "move this route above that one");
        })
        .ok()
}

/// Legal, and not what most routes are written for.
fn note_no_lifetime(draft: &Draft, findings: &mut Findings<'_>) {
    let choices = &draft.route.choices;
    if choices.ttl.is_none() && choices.statuses.iter().all(|(_, lifetime)| lifetime.is_none()) {
        let message = format!(
            "`{}` has no `ttl`: an answer is only stored if the origin says how long it is fresh",
            draft.route.path.as_str()
        );
        findings.note(draft.path.clone(), message, "add ttl = \"10m\" if the origin does not say so");
    }
}

fn check_paths(earlier: &Draft, later: &Draft, above: &[Draft], findings: &mut Findings<'_>) {
    let (one, other) = (&earlier.route.path, &later.route.path);
    if one.covers(other) {
        let same = other.covers(one);
        let message = format!("this route never matches: `{}` above matches all its paths", one.as_str());
        let help = if same { "delete one of the two" } else { "move this route above the other" };
        findings.error_beside(
            later.path.clone(),
            Problem::new(message, help),
            earlier.path.clone(),
            "this one matches them",
        );
        return;
    }
    if other.covers(one) {
        return;
    }
    let Some(both) = one.overlap(other) else { return };
    // A route above both that takes what they share has settled it.
    if above.iter().any(|route| route.route.path.covers(&both)) {
        return;
    }
    findings.error_beside(
        later.path.clone(),
        Problem::new(
            format!(
                "`{}` matches both `{}` and `{}`, and neither of them is more specific",
                both.as_str(),
                one.as_str(),
                other.as_str()
            ),
            format!("add a route with path = \"{}\" above both, or make one of them more specific", both.as_str()),
        ),
        earlier.path.clone(),
        "the other one",
    );
}

fn check_names(earlier: &Draft, later: &Draft, findings: &mut Findings<'_>) {
    // The same path twice is an error already, and most often the reason for the same name.
    if earlier.route.name == later.route.name && earlier.route.path != later.route.path {
        let message = format!("two routes have the name `{}`", later.route.name);
        let problem = Problem::new(message, "give one of them another `name`");
        findings.error_beside(later.name.clone(), problem, earlier.name.clone(), "the first one");
    }
}

/// Two templates of one shape give two routes the same keys: each would take the other's entries for foreign ones.
fn check_keys(earlier: &Draft, later: &Draft, findings: &mut Findings<'_>) {
    // Keys that are the path itself differ wherever paths do, and a path belongs to one route.
    let both_by_path = earlier.key == earlier.path && later.key == later.path;
    if both_by_path || shape(&earlier.route.key) != shape(&later.route.key) {
        return;
    }
    let key = later.route.key.as_str();
    let problem = Problem::new(
        format!("two routes have keys of the form `{key}`, so they would share entries"),
        "give one of them a `key` of its own",
    );
    findings.error_beside(later.key.clone(), problem, earlier.key.clone(), "the other one");
}

/// One write cannot go two ways.
fn check_policies(earlier: &Draft, later: &Draft, findings: &mut Findings<'_>) {
    let (Some(one), Some(other)) = (&earlier.route.write, &later.route.write) else { return };
    let (Some(first), Some(second)) = (&earlier.write, &later.write) else { return };
    let one_method = match (one.request.method(), other.request.method()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    if one_method && one.request.path().overlap(other.request.path()).is_some() {
        let (one, other) = (one.request.as_str(), other.request.as_str());
        let message = format!("`{other}` and `{one}` match the same writes, and a write can have one policy only");
        let problem = Problem::new(
            message,
            "keep the policy of the route whose entry it writes, and list the write in \
             the other's `invalidated_by`",
        );
        findings.error_beside(second.clone(), problem, first.clone(), "the other policy");
    }
}

fn shape(key: &Template) -> String {
    key.shape(|_| "{}".to_owned())
}
