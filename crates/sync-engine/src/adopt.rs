//! Adoption: records that the target holds already are linked, and nothing is written to either system.

use crate::engine::SyncEngine;
use crate::entry::Entry;
use crate::ledger::{Adoption, EntryView, Report, Select, Turn};
use crate::step::{Action, LookResult};
use erp_core::context::{Context, Priority};
use erp_core::error::{Error, Result};

/// What became of one record.
#[derive(Debug)]
pub struct Adopted {
    /// The record.
    pub entry: Entry,
    /// What was found.
    pub look: Look,
}

/// What the target holds of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Look {
    /// The record under this number: linked. With a reason if its money differs, and then it is held.
    Linked {
        /// What people call it in the target.
        number: String,
        /// Why a person must look.
        mismatch: Option<String>,
    },
    /// Nothing under our key.
    Absent,
    /// Something that is not the record as the source has it; not linked. Says what.
    Differs(String),
    /// No answer. Says why.
    Failed(String),
}

impl SyncEngine {
    /// Reads the source of a flow into the ledger, looks each record up that nobody has sent yet, the excluded ones too, and
    /// links what the target holds already. `wanted` chooses by record and the target's number, which is `None` before the
    /// look-up.
    ///
    /// # Errors
    /// `Config` if there is no such flow or its target cannot be looked up; the ledger's and the source's.
    pub async fn adopt(
        &self,
        flow: &str,
        wanted: &(dyn Fn(&Entry, Option<&str>) -> bool + Send + Sync),
    ) -> Result<Vec<Adopted>> {
        let found = self.flows().iter().find(|one| one.name == flow);
        let flow = found.ok_or_else(|| Error::config(format!("there is no flow {flow}")))?.clone();
        if !flow.policy.look_up {
            return Err(Error::config(format!(
                "flow {} sets figures; there is nothing to adopt, run it",
                flow.name
            )));
        }
        let env = self.read_into_ledger(&flow.name).await?;
        let select = Select { flow: Some(flow.name.clone()), ..Select::default() };
        let mut adopted = Vec::new();
        let cx = Context::new().with_priority(Priority::BackFill);
        for view in self.ledger().entries(select).await? {
            let free = !view.entry.may_be_there() && view.entry.lease.is_none() && view.entry.desired.alive;
            if !free || !wanted(&view.entry, None) {
                continue;
            }
            let EntryView { id, entry, .. } = view;
            let payload = self.ledger().payload(id).await?.unwrap_or_default();
            let turn = Turn { id, entry, action: Action::LookUp, payload, links: Vec::new() };
            let answer = flow.pipe.act(&cx, std::slice::from_ref(&turn), &env).await.pop();
            let (look, adoption) = match answer.map(|answer| (answer.report, answer.rounding)) {
                Some((Report::Looked(_, LookResult::Equal(proof)), rounding)) => {
                    let number = proof.receipt.number.clone();
                    let mismatch = proof.mismatch.as_ref().map(|cause| cause.message.clone());
                    if wanted(&turn.entry, Some(&number)) {
                        (Look::Linked { number, mismatch }, Some(Adoption { id, proof, rounding }))
                    } else {
                        (Look::Differs(format!("the target calls it {number}")), None)
                    }
                }
                Some((Report::Looked(_, LookResult::Absent), _)) => (Look::Absent, None),
                Some((
                    Report::Looked(_, LookResult::Partial(receipt) | LookResult::Different(receipt)),
                    _,
                )) => (Look::Differs(format!("{} is not equal to the record", receipt.number)), None),
                Some((Report::Looked(_, LookResult::Unclear(cause)), _)) => {
                    (Look::Differs(cause.message), None)
                }
                Some((Report::Looked(_, LookResult::Failed(error)), _)) => {
                    (Look::Failed(error.to_string()), None)
                }
                _ => (Look::Failed("the target gave no answer".to_owned()), None),
            };
            if let Some(adoption) = adoption {
                self.ledger().adopt(&flow.name, vec![adoption], self.clock().now()).await?;
            }
            adopted.push(Adopted { entry: turn.entry, look });
        }
        Ok(adopted)
    }
}
