use super::*;
use proptest::prelude::*;

#[test]
fn boundaries_quoted_or_not() {
    for (text, want) in [
        ("multipart/mixed; boundary=abc", Some("abc")),
        ("Multipart/Mixed;boundary=\"a b;c\"", Some("a b;c")),
        ("multipart/mixed; charset=utf-8; BOUNDARY=abc; x=y", Some("abc")),
        ("multipart/mixed; charset=\"u;8\"; boundary=abc", Some("abc")),
        ("multipart/mixed; boundary=", None),
        ("multipart/mixed", None),
        ("application/json; boundary=abc", None),
        ("multipart/mixed; boundary=\"abc", None),
        ("é; boundary=abc", None),
    ] {
        assert_eq!(boundary(text), want, "{text}");
    }
}

#[test]
fn preamble_epilogue_and_line_ends() {
    for eol in ["\r\n", "\n"] {
        let body =
            ["preamble", "--b", "A: 1", "", "one", "two", "--b  ", "", "", "--b--", "epilogue", "--b", "x"]
                .join(eol);
        let Parts { parts, closed } = split(&Bytes::from(body), "b").unwrap();
        assert!(closed);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].headers["a"], "1");
        assert_eq!(parts[0].body, format!("one{eol}two").as_bytes());
        assert_eq!(parts[1].body, "".as_bytes());
    }
}

#[test]
fn a_longer_boundary_is_another_one() {
    let body = Bytes::from("--b\r\n\r\n--b1\r\n--bb--\r\n--b--");
    let Parts { parts, .. } = split(&body, "b").unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].body, "--b1\r\n--bb--".as_bytes());
}

#[test]
fn a_missing_end_is_told() {
    let Parts { parts, closed } = split(&Bytes::from("--b\r\n\r\none"), "b").unwrap();
    assert!(!closed);
    assert_eq!(parts[0].body, "one".as_bytes());
}

#[test]
fn inner_answers() {
    let read = |text: &str| inner_http(&Bytes::from(text.to_owned()));
    let ok =
        read("HTTP/1.1 200 OK\r\nCONTENT-type: application/json\r\nContent-Length: 2\r\n\r\n{}\r\n").unwrap();
    assert_eq!(
        (ok.status, ok.body.as_ref(), &ok.headers["content-type"]),
        (200, &b"{}"[..], &"application/json".parse().unwrap())
    );
    let none = read("\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n\r\n").unwrap();
    assert_eq!((none.status, none.body.len()), (204, 0));
    assert_eq!(read("HTTP/1.1 204 No Content").unwrap().status, 204);
    let short = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{\"ü\":1}").unwrap();
    assert_eq!(short.body, "{\"ü\":1}".as_bytes(), "a length that would cut the text is not believed");
    let long = read("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{}").unwrap();
    assert_eq!(long.body, "{}".as_bytes());
    for text in ["", "\r\n", "{}", "HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 99 x", "GET / HTTP/1.1"] {
        assert!(read(text).is_none(), "{text}");
    }
}

#[test]
fn too_many_parts_are_refused() {
    let body = Bytes::from("--b\r\n\r\n".repeat(PARTS_MAX + 2));
    assert!(split(&body, "b").is_none());
}

fn multipart_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("--b"),
        Just("--b--"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("HTTP/1.1 200 OK"),
        Just("A: b"),
        Just(":"),
        Just("{}"),
        Just("--"),
        Just("Content-Length: 5"),
        Just("é"),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn never_panics(raw in proptest::collection::vec(any::<u8>(), 0..300), text in multipart_like(), kind in any::<String>()) {
        let _ = boundary(&kind);
        let _ = boundary(&format!("multipart/mixed;{kind}"));
        for body in [Bytes::from(raw), Bytes::from(text)] {
            let _ = inner_http(&body);
            for part in split(&body, "b").map(|parts| parts.parts).unwrap_or_default() {
                let _ = inner_http(&part.body);
            }
        }
    }

    #[test]
    fn parts_come_back(bodies in proptest::collection::vec("[a-z{}\":\r\n]{0,40}", 0..6)) {
        let text = bodies.iter().map(|body| format!("--b\r\nX: y\r\n\r\n{body}\r\n")).collect::<Vec<_>>().concat();
        let Parts { parts, closed } = split(&Bytes::from(format!("{text}--b--\r\n")), "b").unwrap();
        prop_assert!(closed);
        let read: Vec<_> = parts.iter().map(|part| String::from_utf8(part.body.to_vec()).unwrap()).collect();
        prop_assert_eq!(read, bodies);
    }
}
