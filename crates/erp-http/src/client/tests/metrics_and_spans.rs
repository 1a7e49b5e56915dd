use super::*;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};

/// Every metric by name and labels, with the values that it was given.
#[derive(Debug, Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct Line(Book, String);

impl Book {
    fn line(&self, key: &Key) -> Arc<Line> {
        let mut name = key.name().to_owned();
        for label in key.labels() {
            let _ = write!(name, " {}={}", label.key(), label.value());
        }
        Arc::new(Line(self.clone(), name))
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }
}

impl Line {
    fn note(&self, value: f64) {
        self.0.0.lock().unwrap().entry(self.1.clone()).or_default().push(value);
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
impl CounterFn for Line {
    fn increment(&self, value: u64) {
        self.note(value as f64);
    }
    fn absolute(&self, value: u64) {
        self.note(value as f64);
    }
}

impl GaugeFn for Line {
    fn increment(&self, value: f64) {
        self.note(value);
    }
    fn decrement(&self, value: f64) {
        self.note(value);
    }
    fn set(&self, value: f64) {
        self.note(value);
    }
}

impl HistogramFn for Line {
    fn record(&self, value: f64) {
        self.note(value);
    }
}

impl Recorder for Book {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.line(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.line(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.line(key))
    }
}

#[test]
fn metrics_say_what_happened() {
    let book = Book::default();
    let world = world_with(|builder| builder.limits(Limits::new().with_rate(Rate::new(1, secs(3), 1))));
    world.expect([x().with_answer(503, ""), x().after(secs(2)), x().with_answer(404, "")]);
    metrics::with_local_recorder(&book, || {
        world.call(Call::read("t.read")).unwrap();
        world.call(Call::once("t.create")).unwrap_err();
    });
    let one = |name: &str| assert_eq!(book.values(name), [1.0], "{name}: {book:?}");
    one("erp_http_requests_total system=sap-prod operation=t.read outcome=erp.transient");
    one("erp_http_requests_total system=sap-prod operation=t.read outcome=ok");
    one("erp_http_requests_total system=sap-prod operation=t.create outcome=erp.not_found");
    one("erp_http_retries_total system=sap-prod operation=t.read reason=erp.transient");
    assert_eq!(book.values("erp_http_request_duration_seconds system=sap-prod operation=t.read"), [0.0, 2.0]);
    assert_eq!(book.values("erp_http_breaker_state system=sap-prod"), [0.0, 0.0, 0.0]);
    let waits = book.values("erp_http_throttle_wait_seconds system=sap-prod priority=orders");
    assert_eq!(waits.len(), 2, "the first did not wait: {waits:?}");
    assert!(waits.iter().all(|wait| *wait > 0.0 && *wait <= 3.0), "{waits:?}");
}

/// Writes down every span and event.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<String>>);

impl Visit for Paper {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0.lock().unwrap(), "{}={value:?} ", field.name());
    }
}

impl tracing::Subscriber for Paper {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("erp_http")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
}

#[test]
fn spans_name_operation_and_target_and_no_query() {
    let paper = Paper::default();
    let world = world();
    world.expect([x().with_answer(503, ""), x()]);
    tracing::subscriber::with_default(paper.clone(), || world.call(Call::read("t.read")).unwrap());
    let text = paper.0.lock().unwrap().clone();
    assert!(text.contains("operation=\"t.read\"") && text.contains("target=\"GET sap.test/x\""), "{text}");
    assert!(text.contains("resend_count=0") && text.contains("resend_count=1"), "{text}");
    assert!(text.contains("reason=\"erp.transient\""), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
