use super::*;
use proptest::prelude::*;

fn url(query: &Query) -> String {
    query.to_relative_url(Protocol::V2)
}

#[test]
fn all_options_in_one() {
    let query = Query::new("A_SalesOrder")
        .filter(Filter::eq("PurchaseOrderByCustomer", "A&B"))
        .filter(Filter::ge("TotalNetAmount", erp_core::Decimal::new(100, 1)))
        .select(&["SalesOrder", "to_Item/Material"])
        .expand(&["to_Item/to_PricingElement"])
        .order_by("LastChangeDateTime desc")
        .order_by("SalesOrder")
        .top(50)
        .skip(100)
        .inline_count()
        .param("x-y", "a b");
    assert_eq!(
        url(&query),
        "A_SalesOrder?$select=SalesOrder,to_Item/Material&$expand=to_Item/to_PricingElement\
         &$orderby=LastChangeDateTime%20desc,SalesOrder\
         &$filter=PurchaseOrderByCustomer%20eq%20'A%26B'%20and%20TotalNetAmount%20ge%2010.0M\
         &$top=50&$skip=100&$inlinecount=allpages&x-y=a%20b"
    );
}

#[test]
fn paths() {
    let key = KeyPredicate::single("1");
    assert_eq!(url(&Query::entity("A_SalesOrder", &key)), "A_SalesOrder('1')");
    let items = ResourcePath::set("A_SalesOrder").key(&key).then("to_Item").then("$count");
    assert_eq!(items.as_str(), "A_SalesOrder('1')/to_Item/$count");
    assert_eq!(ResourcePath::content_id("1").then("to_Item").as_str(), "$1/to_Item");
    assert_eq!(ResourcePath::from(("A", key)).as_str(), "A('1')");
}

#[test]
fn parentheses_only_where_they_matter() {
    let a = || Filter::eq("a", 1);
    let b = || Filter::ne("b", 2);
    let c = || Filter::lt("c", 3);
    for (filter, want) in [
        (a().and(b()).or(c()), "a eq 1 and b ne 2 or c lt 3"),
        (a().or(b()).and(c()), "(a eq 1 or b ne 2) and c lt 3"),
        (a().and(b().or(c())), "a eq 1 and (b ne 2 or c lt 3)"),
        (a().or(b()).not(), "not (a eq 1 or b ne 2)"),
        (a().not().and(b()), "not (a eq 1) and b ne 2"),
        (Filter::gt("d", 1).or(Filter::le("e", 2)), "d gt 1 or e le 2"),
    ] {
        assert_eq!(filter.as_str().replace("%20", " "), want);
    }
}

#[test]
fn functions_keep_their_own_order_of_arguments() {
    assert_eq!(Filter::substringof("O'N", "Name").as_str(), "substringof('O''N',Name)");
    assert_eq!(Filter::startswith("Name", "A").as_str(), "startswith(Name,'A')");
    assert_eq!(Filter::endswith("Name", "Z").as_str(), "endswith(Name,'Z')");
}

#[test]
fn a_long_list_is_split_and_nothing_is_lost() {
    let skus: Vec<String> = (0..500).map(|n| format!("SKU-{n:05}")).collect();
    let filters = Filter::any_of("Material", &skus);
    assert!(filters.len() > 1);
    assert!(filters.iter().all(|filter| filter.as_str().len() <= FILTER_MAX));
    let joined = filters.iter().map(Filter::as_str).collect::<Vec<_>>().join("%20or%20");
    let want = skus.iter().map(|sku| format!("Material%20eq%20'{sku}'")).collect::<Vec<_>>().join("%20or%20");
    assert_eq!(joined, want);
    assert!(Filter::any_of("Material", Vec::<String>::new()).is_empty());
    let both = Filter::any_of("M", ["a", "b"]).remove(0).and(Filter::eq("P", "1"));
    assert_eq!(both.as_str(), "(M%20eq%20'a'%20or%20M%20eq%20'b')%20and%20P%20eq%20'1'");
}

#[test]
fn debug_shows_no_value() {
    let query = Query::entity("C", &KeyPredicate::single("jane"))
        .filter(Filter::eq("Email", "jane@x"))
        .param("p", "jane");
    assert!(!format!("{query:?}").contains("jane"), "{query:?}");
}

proptest! {
    #[test]
    fn no_value_adds_an_option(text in any::<String>()) {
        let query = Query::new("A").filter(Filter::eq("f", text.as_str())).param("p", &text);
        let string = query.to_query_string(Protocol::V2);
        prop_assert_eq!(string.matches('&').count(), 1);
        prop_assert!(!string.contains(['#', '+', ' ', '?']));
    }

    #[test]
    fn chunks_stay_below_any_bound(values in proptest::collection::vec(".{0,20}", 0..50), max in 50usize..400) {
        let filters = Filter::any_of_within("f", &values, max);
        let terms: usize = filters.iter().map(|f| f.as_str().matches("f%20eq%20'").count()).sum();
        prop_assert!(terms >= values.len());
        for filter in &filters {
            prop_assert!(filter.as_str().len() <= max || !filter.as_str().contains("%20or%20f%20eq"));
        }
    }
}
