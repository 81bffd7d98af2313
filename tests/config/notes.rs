//! What is legal and noted all the same.

use super::good;

#[test]
fn one_name_behind_two_literals_is_noted() {
    let told = |text: &str| {
        let config =
            good(&format!("origin = \"http://a\"\n[[route]]\npath = \"/users/{{id}}\"\nttl = \"1h\"\n{text}\n"));
        let report = config.remarks.render(false);
        report.contains("the same name is taken for the same thing").then_some(report)
    };
    for text in [
        "invalidated_by = [\"PUT /users/{id}\", \"* /snippets/{id}\"]",
        "[[write]]\nrequest = [\"PUT /users/{id}\", \"* /snippets/{id}\"]\ndrops = [\"/users/{id}\"]",
    ] {
        let note = told(text).unwrap_or_else(|| panic!("no note of {text}"));
        assert!(note.starts_with("note: {id} follows `snippets` in the write and `users`"), "{note}");
    }
    for text in [
        "invalidated_by = [\"PUT /api/Users/{id}/name\", \"PUT /snippets/{snippet}\"]",
        "invalidated_by = [{ request = \"PUT /snippets/{owner}\", variables = { id = \"{owner}\" } }]",
        "[[write]]\nrequest = \"PUT /snippets/{owner}\"\ndrops = [\"/users/{owner}\", \"/users/{body:/owner}\"]",
        "[[write]]\nrequest = \"POST /users/{id}/follow\"\ndrops = [\"/users/{id}\"]",
    ] {
        assert_eq!(told(text).is_some(), text.contains("/users/{owner}"), "{text}");
    }
}

#[test]
fn whom_an_answer_is_for_whose_cookie_is_stripped() {
    let told = |keys: &str| {
        let text =
            format!("origin = \"http://a\"\n[[route]]\npath = \"/x\"\nttl = \"1h\"\nset_cookie = \"strip\"\n{keys}\n");
        good(&text).remarks.render(false)
    };
    for (keys, whom) in [
        ("", "given to everybody: "),
        ("cookies = \"ignore\"", "given to everybody: "),
        ("cookies = \"key\"", "given to every client with the same Cookie, or with none: "),
        ("authorization = \"key\"", "given to every client with the same Authorization, or with none: "),
    ] {
        let note = told(keys);
        assert!(note.starts_with("note: ") && note.contains(whom), "{note}");
    }
}
