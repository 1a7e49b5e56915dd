//! What people do to entries, and who did it.

use super::schema::broken;
use super::store::Store;
use super::{Effect, EntryView, Order};
use crate::step::{self, Event, Surroundings};
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use rusqlite::params;

impl Store {
    pub(super) fn operate(&mut self, order: &Order, now: Timestamp) -> Result<Vec<Effect>> {
        if !order.preview {
            signed(&order.who, &order.why)?;
        }
        let mut effects = Vec::new();
        for EntryView { id, entry, .. } in self.entries(&order.select)? {
            let before = entry.state;
            let (label, key) = (entry.label.clone(), entry.key.clone());
            if let Err(text) = step::permitted(&entry, &order.verb) {
                effects.push(Effect { label, key, before, after: before, text, applies: false });
                continue;
            }
            let policy = self.policy(&entry.flow.clone())?;
            let ahead = self.open_ahead(&entry.desired.after)?;
            let event = Event::Operator(order.verb.clone());
            let mut step =
                step::step(entry, event, Surroundings { policy: &policy, now, ahead: ahead.as_ref() });
            let (after, text) = (step.entry.state, step.story.clone().unwrap_or_default());
            if !order.preview {
                step.story = Some(format!("{text} ({}: {})", order.who, order.why));
                self.store(id, &step, now)?;
                self.audit(
                    now,
                    &order.who,
                    order.verb.name(),
                    key.as_str(),
                    &order.why,
                    before.name(),
                    after.name(),
                )?;
            }
            effects.push(Effect { label, key, before, after, text, applies: true });
        }
        Ok(effects)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as the row has columns")]
    pub(super) fn audit(
        &self,
        now: Timestamp,
        who: &str,
        verb: &str,
        scope: &str,
        why: &str,
        before: &str,
        after: &str,
    ) -> Result<()> {
        self.db
            .execute(
                "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![now.as_micros(), who, verb, scope, why, before, after],
            )
            .map_err(broken)?;
        Ok(())
    }
}

/// What a person does bears a name and a reason.
fn signed(who: &str, why: &str) -> Result<()> {
    for (what, text) in [("name", who), ("reason", why)] {
        if text.trim().is_empty() {
            return Err(Error::config(format!("an operator's action needs a {what}; nothing was changed")));
        }
    }
    Ok(())
}
