//! A day of mixed traffic: many look, some write, and most of what they write changes nothing that others see.

use super::chance::Chance;
use super::reads::{Readers, TARGETS, Tally, VIEWERS};
use super::writes::send;

/// What a day came to.
#[derive(Debug, Default)]
pub struct Day {
    pub reads: Tally,
    pub writes: usize,
}

/// One of these, the first ones more often.
fn popular<'a>(chance: &mut Chance, of: &[&'a str]) -> &'a str {
    of[chance.below(of.len()).min(chance.below(of.len()))]
}

const SLUGS: [&str; 5] = ["tea-and-rust", "slow-bread", "night-trains", "old-maps", "rain"];

impl Readers {
    /// So many requests, one of 21 a write.
    pub async fn spend_a_day(&self, requests: usize, seed: u64) -> Day {
        let (mut day, mut chance) = (Day::default(), Chance(seed));
        for _ in 0..requests {
            if chance.below(21) == 0 {
                self.write_something(&mut chance).await;
                day.writes += 1;
            } else {
                let viewer = chance.below(VIEWERS.len());
                day.reads.add(self.read(viewer, popular(&mut chance, &TARGETS)).await);
            }
        }
        day
    }

    async fn write_something(&self, chance: &mut Chance) {
        let who = VIEWERS[1 + chance.below(2)];
        let slug = popular(chance, &SLUGS);
        let article = format!("/articles/{slug}");
        let (method, target, body) = match chance.below(100) {
            0..30 => ("POST", "/users/login".to_owned(), format!(r#"{{"name": "{who}"}}"#)),
            30..55 => ("POST", "/beacon".to_owned(), String::new()),
            55..70 => ("POST", "/search".to_owned(), format!(r#"{{"word": "{}"}}"#, &slug[..3])),
            70..78 => ("POST", format!("{article}/favorite"), String::new()),
            78..82 => ("DELETE", format!("{article}/favorite"), String::new()),
            82..90 => ("POST", format!("{article}/comments"), r#"{"body": "Well."}"#.to_owned()),
            90..92 => ("DELETE", self.a_comment(slug), String::new()),
            92..94 => ("POST", "/profiles/cleo/follow".to_owned(), String::new()),
            94..95 => ("DELETE", "/profiles/cleo/follow".to_owned(), String::new()),
            95..97 => ("PATCH", article, format!(r#"{{"text": "Edition {}"}}"#, chance.below(1000))),
            97..99 => ("POST", "/articles".to_owned(), format!(r#"{{"title": "Note {}"}}"#, chance.below(1000))),
            _ => ("PUT", "/user".to_owned(), format!(r#"{{"image": "/{}.png"}}"#, chance.below(1000))),
        };
        let token = self.blog.lock().unwrap().token(who);
        send(&self.client, token.as_deref(), (method, &self.slash.spell(&target)), None, &body).await;
    }

    /// The newest comment, whoever wrote it: most attempts to delete it are refused.
    fn a_comment(&self, slug: &str) -> String {
        let id = self.blog.lock().unwrap().newest_comment(slug).unwrap_or_default();
        format!("/articles/{slug}/comments/{id}")
    }
}
