//! What aside's user has to be allowed in Redis, looked at when a session begins: without a single one of these rights it
//! would seem to be in use and never have a hit.

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::LuaInterface;
use serde_json::json;

use super::layout::Layout;
use super::outage::{Outage, outage};

const SELF_TEST: &str = include_str!("scripts/self_test.lua");

/// Every command that scripts and reads use (a test holds this list to the scripts), with arguments after the key with which it does nothing, whatever is there.
const COMMANDS: [(&str, &[&str]); 14] = [
    ("GET", &[]),
    ("HMGET", &["f"]),
    ("HGET", &["f"]),
    ("HLEN", &[]),
    ("HSCAN", &["0"]),
    ("TYPE", &[]),
    ("STRLEN", &[]),
    ("PTTL", &[]),
    ("SET", &["v", "-"]),
    ("HSET", &["f", "v", "f"]),
    ("HDEL", &["f"]),
    ("HINCRBY", &["f", "-"]),
    ("DEL", &[]),
    ("PEXPIREAT", &["-"]),
];

/// The same of those that have no key.
const KEYLESS: [(&str, &[&str]); 2] = [("TIME", &[]), ("INFO", &["replication"])];

/// What a user may not do and has to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    /// Commands in lower case, as ACLs name them.
    commands: Vec<String>,
    keys: Vec<String>,
}

impl Lacking {
    /// Asks the server, in two round trips that change nothing there.
    pub(super) async fn find(client: &Client, layout: &Layout) -> Result<Self, Outage> {
        let with_key = COMMANDS.iter().map(|(command, arguments)| [&[*command, layout.absent()], *arguments].concat());
        let calls: Vec<Vec<&str>> =
            with_key.chain(KEYLESS.iter().map(|(command, arguments)| [&[*command], *arguments].concat())).collect();
        let arguments = vec![json!(calls).to_string(), json!(layout.samples()).to_string()];
        let hash = match client.script_load::<String, _>(SELF_TEST).await {
            Ok(hash) => hash,
            Err(error) => return Self::without("script|load", &error),
        };
        match client.evalsha::<String, _, _, _>(hash, Vec::<String>::new(), arguments).await {
            Ok(found) => Ok(Self::parse(&found)),
            Err(error) => Self::without("evalsha", &error),
        }
    }

    /// Without a right that the others cannot be looked at without, if that is what is wrong.
    fn without(command: &str, error: &Error) -> Result<Self, Outage> {
        let refused = error.details().starts_with("NOPERM");
        if refused { Ok(Self { commands: vec![command.to_owned()], keys: Vec::new() }) } else { Err(outage(error)) }
    }

    /// Reads what the script answers.
    fn parse(text: &str) -> Self {
        let named = |what: &str| text.lines().filter_map(|line| line.strip_prefix(what)).map(str::to_owned).collect();
        let commands: Vec<String> = named("run ");
        Self { commands: commands.iter().map(|command| command.to_lowercase()).collect(), keys: named("access ") }
    }

    /// Nothing where nothing is lacking.
    pub(super) fn or_nothing(self, user: Option<&str>) -> Result<(), Outage> {
        let Self { commands, keys } = self;
        if commands.is_empty() && keys.is_empty() {
            return Ok(());
        }
        let reach = if keys.is_empty() { String::new() } else { format!("reach keys such as {}", keys.join(", ")) };
        let run =
            if commands.is_empty() { String::new() } else { format!("run {}", commands.join(", ").to_uppercase()) };
        let both = if keys.is_empty() || commands.is_empty() { "" } else { " nor " };
        let rights = commands.iter().map(|command| format!("+{command}"));
        let patterns = Layout::patterns(&keys).into_iter().map(|pattern| format!("~{pattern}"));
        let rights: Vec<String> = rights.chain(patterns).collect();
        let user = user.unwrap_or("default");
        let text = format!("its user may not {run}{both}{reach}: ACL SETUSER {user} {} allows it", rights.join(" "));
        Err(Outage::Unfit(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands that stand in a script as `redis.call('…'`.
    fn called(script: &str) -> Vec<String> {
        let calls = script.split("call('").skip(1);
        calls.filter_map(|rest| rest.split('\'').next()).map(str::to_owned).collect()
    }

    #[test]
    fn every_command_of_a_script_is_looked_at() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis/scripts");
        let files = std::fs::read_dir(folder).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let mut used: Vec<String> = texts.flat_map(|text| called(&text)).collect();
        // What reads use besides.
        used.extend(["GET", "HMGET"].map(str::to_owned));
        let asked: Vec<&str> = COMMANDS.iter().chain(&KEYLESS).map(|(command, _)| *command).collect();
        for command in &used {
            assert!(asked.contains(&&**command), "{command} is used by a script, and nobody asks for it");
        }
        for command in asked {
            assert!(used.iter().any(|used| used == command), "{command} is asked for, and no script uses it");
        }
    }

    #[test]
    fn what_is_lacking_is_told_with_its_remedy() {
        let told = |text: &str| Lacking::parse(text).or_nothing(Some("shop")).unwrap_err().to_string();
        assert_eq!(
            told("run PEXPIREAT\nrun GET"),
            "it refuses what aside needs: its user may not run PEXPIREAT, GET: ACL SETUSER shop +pexpireat +get allows it"
        );
        assert_eq!(
            told("run GET\naccess aside:{shop:}:self-test\naccess {shop:self-test}:meta"),
            "it refuses what aside needs: its user may not run GET nor reach keys such as aside:{shop:}:self-test, \
             {shop:self-test}:meta: ACL SETUSER shop +get ~aside:{shop:}:* ~{shop:*}:meta allows it"
        );
        assert_eq!(Lacking::parse("").or_nothing(None), Ok(()));
    }
}
