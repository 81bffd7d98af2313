//! A file with many faults: all of them are told in one run, each at its place, and none that only follows from another.

use super::read;

/// Reads a bad file whose faults stand where the text has a `«`, in this order.
fn assert_all(marked: &str) {
    let text = marked.replace('«', "");
    let mut expected = Vec::new();
    for (line, written) in marked.lines().enumerate() {
        let mut before = String::new();
        for character in written.chars() {
            match character {
                '«' => expected.push((line + 1, before.chars().count() + 1)),
                other => before.push(other),
            }
        }
    }
    let Err(error) = read(&text) else { panic!("this was taken for good:\n{text}") };
    let found: Vec<_> = error.report().iter().map(|(_, place)| place.map(|place| (place.line, place.column))).collect();
    let expected: Vec<_> = expected.into_iter().map(Some).collect();
    assert_eq!(found, expected, "{error}");
    assert_eq!(error.report().to_json().as_array().unwrap().len(), expected.len());
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    assert_all(
        r#"listen = «"localhost"
origin = ["http://a", «"ftp://b"]
«stor = "memory://"
[limits]
«conections = 5
idle_timeout = «5
fields = «0
[[route]]
path = "/a/«{id"
ttl = «"1x"
etag = «"yes"
[[route]]
path = "/b/{id}"
key = "b:{«di}"
cookies = «"sometimes"
invalidated_by = ["«PSOT /b", "PUT /b/{id}"]
[[route]]
path = "/c"
name = «"a b"
annotate = «{ field = "x", hit = true }
[[write]]
request = "POST /x"
drops = [«"nowhere"]
"#,
    );
}

#[test]
fn what_is_missing_because_it_could_not_be_read_is_not_missed() {
    for marked in [
        // The origin, its list, the address that it could be compared with.
        "origin = «5\n",
        "origin = [\"http://a\", «5]\n",
        "«origins = \"http://a\"\n[[route]]\npath = \"/a\"\nvary = [«\"a b\"]\n",
        "listen = «5\norigin = \"http://127.0.0.1:8080\"\n",
        "origin = \"«${NOBODY_SAYS}\"\n",
        // A route's path, name, query, ttl; a rule's request; a policy's parts.
        "origin = \"http://a\"\n[[route]]\n«pth = \"/a\"\n",
        "origin = \"http://a\"\n[[route]]\npath = «5\nkey = \"{a}\"\nttl = \"1h\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/«{a\"\nkey = \"{a}\"\ninvalidated_by = [\"PUT /b/{b}\"]\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nname = «5\n[[write]]\nrequest = \"POST /b\"\ndrops = [\"route:a\"]\n",
        "origin = \"http://a\"\n[[«routes]]\npath = \"/a\"\nname = \"a\"\n[[write]]\nrequest = \"POST /b\"\ndrops = [\"route:a\"]\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nquery = [\"b\", «5]\nkey = \"{b}\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «5\noverride_origin = true\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\ninvalidated_by = [{ «requst = \"PUT /a\" }]\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «5\n[route.write]\nrequest = \"POST /a\"\npolicy = \"through\"\nentry = '{body}'\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = \"1h\"\n[route.write]\n«reqest = \"POST /a\"\npolicy = \"through\"\n",
        "origin = \"http://a\"\n[tls]\ncert = «5\nkey = \"key.pem\"\n",
    ] {
        assert_all(marked);
    }
}

#[test]
fn what_is_missing_elsewhere_is_missed_all_the_same() {
    for marked in [
        "origin = \"http://a\"\n[limits]\nfields = «\"5\"\n[tls]\n".replace("[tls]", "«[tls]").as_str(),
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «5\n«[[route]]\nttl = \"1h\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «5\n[[route]]\npath = \"/b\"\nkey = \"{«b}\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a/{id}\"\nttl = «5\nkey = «\"a\"\nannotate = «{ field = \"x\", hit = 1 }\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a/{id}\"\n«tll = \"1h\"\nkey = \"{«di}\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/«{a\"\nttl = «\"1x\"\noverride_private = «true\ncookies = «\"x\"\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «5\n[[write]]\nrequest = \"POST /b\"\ndrops = [«\"route:a\"]\n",
        "origin = \"http://a\"\n«colour = 1\n[[route]]\npath = \"/a\"\n[[write]]\nrequest = \"POST /b\"\ndrops = [«\"route:a\"]\n",
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\n«colour = 1\n[[write]]\nrequest = \"POST /b\"\ndrops = [«\"route:a\"]\n",
    ] {
        assert_all(marked);
    }
}
