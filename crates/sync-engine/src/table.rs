//! The one table that turns an error into what happens next: 12 kinds × 4 effects.

use erp_core::error::{Effect, ErrorKind};

/// What happens to an entry whose write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Wait and try again; counts as a try.
    Retry,
    /// Wait as long as asked; counts as nothing.
    Reschedule,
    /// The whole target system pauses, with one alert: its credentials are refused. The entry waits.
    PauseSystem,
    /// The flow pauses, with one alert: a permission or setting is missing. The entry waits.
    PauseFlow,
    /// The effect is not known, or the target changed: look up before anything is sent.
    LookUp,
    /// A person must act.
    Hold,
}

/// What happens after an error of `kind` with `effect`.
///
/// An effect other than `None` always leads to a look-up first, whatever the kind: nothing is sent again, held or given up
/// before it is known what the target holds.
#[must_use]
pub fn disposition(kind: &ErrorKind, effect: Effect) -> Disposition {
    match (kind, effect) {
        // Of NotFound and Conflict: the document that we meant to change is gone or was changed, and only its present state
        // can tell what to do.
        (_, Effect::Partial | Effect::Applied | Effect::Unknown)
        | (ErrorKind::NotFound | ErrorKind::Conflict, Effect::None) => Disposition::LookUp,
        (ErrorKind::Transient, Effect::None) => Disposition::Retry,
        (ErrorKind::Throttled, Effect::None) => Disposition::Reschedule,
        (ErrorKind::Auth, Effect::None) => Disposition::PauseSystem,
        (ErrorKind::Permission { .. } | ErrorKind::Config, Effect::None) => Disposition::PauseFlow,
        // Invalid, Unsupported, Malformed, Unexpected, a watermark error where none belongs, and kinds to come.
        (_, Effect::None) => Disposition::Hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::error::EFFECTS;

    #[test]
    fn the_whole_table() {
        use Disposition::{Hold, LookUp, PauseFlow, PauseSystem, Reschedule, Retry};
        let rows = [
            (ErrorKind::Transient, Retry),
            (ErrorKind::Throttled, Reschedule),
            (ErrorKind::Auth, PauseSystem),
            (ErrorKind::Permission { missing: vec![] }, PauseFlow),
            (ErrorKind::NotFound, LookUp),
            (ErrorKind::Conflict, LookUp),
            (ErrorKind::Invalid { fields: vec![] }, Hold),
            (ErrorKind::Unsupported, Hold),
            (ErrorKind::WatermarkExpired, Hold),
            (ErrorKind::Malformed, Hold),
            (ErrorKind::Config, PauseFlow),
            (ErrorKind::Unexpected, Hold),
        ];
        for (kind, without_effect) in rows {
            for effect in EFFECTS {
                let want = if effect == Effect::None { without_effect } else { LookUp };
                assert_eq!(disposition(&kind, effect), want, "{kind:?} × {effect:?}");
            }
        }
    }
}
