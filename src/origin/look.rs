//! A look at every address at the start: whether somebody is there, before the first client asks. A connection is opened and
//! closed; nothing is sent over it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use http::uri::Authority;
use tokio::time::sleep;

use super::address::{Address, Addresses};

/// How long after a look the next one is due where nobody was there, first and at the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Looks at each address until somebody is there, or a request has been answered there, or nobody has these addresses any more.
/// `reach` opens a connection, or says in words why there is none.
pub(super) async fn look<R, F>(addresses: Weak<Addresses>, reach: R)
where
    R: Fn(Authority) -> F,
    F: Future<Output = Result<(), String>>,
{
    let count = addresses.upgrade().map_or(0, |addresses| addresses.iter().count());
    join_all((0..count).map(|index| look_at(&addresses, index, &reach))).await;
}

async fn look_at<R, F>(addresses: &Weak<Addresses>, index: usize, reach: &R)
where
    R: Fn(Authority) -> F,
    F: Future<Output = Result<(), String>>,
{
    let mut pause = FIRST_PAUSE;
    while let Some(address) = nth(addresses, index).filter(|address| !address.has_answered()) {
        match reach(address.authority.clone()).await {
            Ok(()) => return address.is_there(),
            // A request may have been answered meanwhile.
            Err(_) if address.has_answered() => return,
            Err(why) => address.is_absent(&why),
        }
        drop(address);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn nth(addresses: &Weak<Addresses>, index: usize) -> Option<Arc<Address>> {
    addresses.upgrade()?.iter().nth(index).map(Arc::clone)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn it_ends_once_a_request_was_answered_or_nobody_has_the_addresses_any_more() {
        let authorities = ["a:1", "b:1"].map(|authority| authority.parse().unwrap());
        let addresses = Arc::new(Addresses::new(&authorities, false, &Clock::System));
        let looks = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let counted = Arc::clone(&looks);
        let reach = move |authority: Authority| {
            counted[usize::from(authority.as_str() == "b:1")].fetch_add(1, Ordering::SeqCst);
            async { Err("nobody is there".to_owned()) }
        };
        let looking = tokio::spawn(look(Arc::downgrade(&addresses), reach));
        let counts = || [0, 1].map(|at: usize| looks[at].load(Ordering::SeqCst));
        sleep(Duration::from_millis(100)).await;
        assert_eq!(counts(), [1, 1]);
        sleep(Duration::from_secs(600)).await;
        let [before, _] = counts();
        assert!((20..30).contains(&before), "every thirty seconds: {before}");
        let answered = addresses.iter().next().unwrap().turn();
        answered.address.learn(answered.attempt, Ok(()));
        sleep(Duration::from_secs(600)).await;
        let [one, other] = counts();
        assert_eq!((one, other > before + 15), (before, true));
        drop((answered, addresses));
        sleep(LONGEST_PAUSE).await;
        assert!(looking.is_finished());
    }
}
