use super::*;
use erp_core::Decimal;
use erp_core::time::Timestamp;
use proptest::prelude::*;

/// Items, their stock, and an empty table.
struct Small;

impl Catalog for Small {
    fn table(&self, name: &str, least: Option<Decimal>) -> Result<Table> {
        let number = |value: i64| Value::Number(Decimal::from(value));
        let table = |columns: &[&str], rows: Vec<Vec<Value>>| Table {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows,
        };
        Ok(match name {
            "item" => {
                let row = |id: i64, sku: &str, weight: Option<i64>| {
                    vec![
                        number(id),
                        Value::text(sku),
                        weight.map_or(Value::Null, number),
                        Value::Moment(Timestamp::from_secs(id * 86_400)),
                    ]
                };
                let mut rows = vec![row(1, "A", Some(5)), row(2, "b%", None), row(3, "it's", Some(7))];
                rows.retain(|row| least.is_none_or(|least| row[0].number().unwrap() >= Some(least)));
                table(&["id", "itemid", "weight", "changed"], rows)
            }
            "stock" => table(
                &["item", "location", "quantity"],
                vec![
                    vec![number(1), number(1), number(10)],
                    vec![number(1), number(2), number(20)],
                    vec![number(3), number(1), number(30)],
                ],
            ),
            "dual" => table(&["dummy"], vec![vec![Value::text("X")]]),
            "secret" => return Err(SqlError::permission("no")),
            other => return Err(SqlError::new(format!("Record '{other}' was not found."))),
        })
    }

    fn display(&self, _: &str, column: &str, value: &Value) -> Value {
        Value::text(&format!("{column} {}", value.shown().unwrap_or_default()))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_780_000_000)
    }
}

fn ask(text: &str, params: &[Value]) -> std::result::Result<String, String> {
    let answer = run(&Small, text, params).map_err(|error| error.text)?;
    let show = |row: &Vec<Value>| {
        row.iter().map(|value| value.shown().unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(",")
    };
    Ok(answer.rows.iter().map(show).collect::<Vec<_>>().join(" "))
}

#[test]
fn queries_mean_what_oracle_says() {
    for (query, wanted) in [
        ("SELECT id FROM item ORDER BY id DESC", "3 2 1"),
        (
            "select i.id, s.quantity from item i join stock s on s.item = i.id order by i.id, s.location",
            "1,10 1,20 3,30",
        ),
        (
            "SELECT i.id, s.quantity FROM item i LEFT JOIN stock s ON s.item = i.id AND s.location = 1 ORDER BY 1",
            "1,10 2,- 3,30",
        ),
        (
            "SELECT item, SUM(quantity) AS total FROM stock GROUP BY item HAVING SUM(quantity) > 5 ORDER BY total DESC",
            "1,30 3,30",
        ),
        ("SELECT COUNT(*) FROM item WHERE weight > 6", "1"),
        ("SELECT COUNT(weight), COUNT(DISTINCT location) FROM stock s JOIN item i ON i.id = s.item", "3,2"),
        ("SELECT COUNT(*) FROM item WHERE id > 99", "0"),
        ("SELECT itemid FROM item WHERE itemid LIKE '%''s'", "it's"),
        ("SELECT itemid FROM item WHERE weight IS NULL", "b%"),
        ("SELECT id FROM item WHERE weight NOT IN (5)", "3"),
        ("SELECT id FROM item WHERE NOT (weight = 5)", "3"),
        ("SELECT id FROM item WHERE id IN (SELECT item FROM stock WHERE location = 2)", "1"),
        ("SELECT * FROM (SELECT id FROM item ORDER BY id DESC) WHERE ROWNUM <= 2", "3 2"),
        ("SELECT id FROM item WHERE ROWNUM <= 1 ORDER BY id DESC", "1"),
        ("SELECT id FROM item ORDER BY id FETCH FIRST 2 ROWS ONLY", "1 2"),
        ("SELECT NVL(weight, 0) + 1, UPPER(itemid) || '!' FROM item WHERE id = 2", "1,B%!"),
        ("SELECT CASE WHEN id = 1 THEN 'one' ELSE 'more' END FROM item ORDER BY id", "one more more"),
        ("SELECT DECODE(id, 1, 'x', 'y'), NULLIF(id, 2) FROM item ORDER BY id", "x,1 y,- y,3"),
        ("SELECT TO_CHAR(changed, 'YYYY-MM-DD HH24:MI:SS') FROM item WHERE id = 1", "1970-01-02 00:00:00"),
        (
            "SELECT id FROM item WHERE changed >= TO_DATE('1970-01-03 00:00:00', 'YYYY-MM-DD HH24:MI:SS')",
            "2 3",
        ),
        ("SELECT changed FROM item WHERE id = 1", "1/2/1970"),
        ("SELECT TO_CHAR(changed + 1, 'DD.MM.YYYY') FROM item WHERE id = 1", "03.01.1970"),
        ("SELECT BUILTIN.DF(location) FROM stock WHERE item = 3", "location 1"),
        ("SELECT DISTINCT location FROM stock ORDER BY location", "1 2"),
        ("SELECT id FROM item WHERE id BETWEEN 2 AND 3 AND itemid <> 'A' -- a comment", "2 3"),
        ("SELECT SUBSTR(itemid, -2), LENGTH(itemid), INSTR(itemid, '''') FROM item WHERE id = 3", "'s,4,3"),
        ("SELECT 1 FROM dual;", "1"),
        ("SELECT \"ID\" AS \"Number\" FROM item WHERE '2' = id", "2"),
    ] {
        assert_eq!(ask(query, &[]).as_deref(), Ok(wanted), "{query}");
    }
}

#[test]
fn what_the_dialect_does_not_have_is_refused() {
    for (query, says) in [
        ("SELECT id FROM item LIMIT 5", "Unexpected LIMIT"),
        ("WITH x AS (SELECT 1 FROM dual) SELECT * FROM x", "Only SELECT"),
        ("DELETE FROM item", "Only SELECT"),
        ("SELECT id FROM item; DROP TABLE item", "Unexpected DROP"),
        ("SELECT id FROM item WHERE itemid = 'x", "no end"),
        ("SELECT [id] FROM item", "Unexpected character"),
        ("SELECT createdfrom FROM item t", "createdfrom"),
        ("SELECT item FROM stock a JOIN stock b ON a.item = b.item", "ambiguous"),
        ("SELECT id FROM item WHERE changed > '2026-01-01'", "TO_DATE"),
        ("SELECT id FROM item WHERE changed > DATE '2026-01-01'", "Unexpected DATE"),
        ("SELECT itemid + 'x' FROM item", "Invalid number"),
        ("SELECT id FROM nothing", "not found"),
        ("SELECT sleep(9) FROM dual", "Unknown function"),
        ("SELECT id FROM item WHERE id = ?", "1 parameters"),
        ("SELECT id FROM item WHERE COUNT(*) > 1", "not allowed"),
        ("SELECT id FROM item WHERE id", "condition"),
    ] {
        let error = ask(query, &[]).unwrap_err();
        assert!(error.contains(says), "{query}: {error}");
    }
    let many = vec!["1"; 1001].join(",");
    assert!(ask(&format!("SELECT id FROM item WHERE id IN ({many})"), &[]).unwrap_err().contains("1000"));
    let deep = format!("SELECT {}1{} FROM dual", "(".repeat(100), ")".repeat(100));
    assert!(ask(&deep, &[]).unwrap_err().contains("deeply"));
    let secret = run(&Small, "SELECT 1 FROM secret", &[]).unwrap_err();
    assert_eq!(secret.kind, SqlErrorKind::Permission);
}

#[test]
fn values_are_bound_in_order() {
    let values = [Value::text("A"), Value::text("3")];
    assert_eq!(
        ask("SELECT id FROM item WHERE itemid = ? OR id = ? ORDER BY id", &values).as_deref(),
        Ok("1 3")
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", more in "(SELECT|FROM|WHERE|\\(|\\)|,|\\?|'|id|item|=|AND| ){0,20}") {
        let _ = run(&Small, &text, &[]);
        let _ = run(&Small, &format!("SELECT {more}"), &[]);
    }

    /// A text with its quotes doubled is that text and nothing else.
    #[test]
    fn a_quoted_text_is_itself(text in "[^\\x00]{1,30}") {
        let query = format!("SELECT '{}' FROM dual", text.replace('\'', "''"));
        prop_assert_eq!(ask(&query, &[]), Ok(text));
    }

    #[test]
    fn like_is_what_it_says(text in "[ab%_]{0,8}", pattern in "[ab%_]{0,6}") {
        fn naive(text: &[char], pattern: &[char]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some(('%', rest)) => (0..=text.len()).any(|at| naive(&text[at..], rest)),
                Some((one, rest)) => text.split_first().is_some_and(|(head, tail)| (*one == '_' || one == head) && naive(tail, rest)),
            }
        }
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(super::value::like(&text, &pattern), naive(&chars(&text), &chars(&pattern)));
    }
}
