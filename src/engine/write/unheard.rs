//! Warns once of a source whose endpoint seems to get no invoice events: each new subscription's key waits for one (rule 18).

use super::transaction::{Alert, Transaction};
use crate::domain::finding::{Finding, Report};
use crate::domain::lifecycle::{Folded, Life};
use crate::domain::machine::Machine;
use crate::engine::record::key;
use crate::engine::record::{RecordError, View};

/// Warns at the first subscription whose wait was in vain.
pub(super) fn report(
    tx: &mut Transaction<'_, '_>,
    machine: &Machine,
    folded: &Folded,
) -> Result<(), RecordError> {
    let unheard = match &folded.life {
        Life::Subscription(life) => life.unheard,
        Life::Payment(_) => false,
    };
    if !unheard {
        return Ok(());
    }
    let key = key::general(&format!("unheard/{}", machine.source));
    if tx.working.get(&key)?.is_some() {
        return Ok(());
    }
    tx.working.put(key, Vec::new());
    tx.alerts.push(Alert {
        machine: machine.id.clone(),
        report: Report::new(
            tx.context.at,
            Finding::NoInvoiceHeard(machine.source.clone()),
        ),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::SourceName;
    use crate::domain::lifecycle::{Kind, fold};
    use crate::domain::revision::Revisions;
    use crate::domain::time::Timestamp;
    use crate::engine::input::Rules;
    use crate::engine::write::transaction::TxContext;
    use crate::engine::write::working::Working;
    use crate::store::memory::Memory;

    /// The subscriptions at which it warns, of these sources in this order.
    fn warned(sources: &[(&str, bool)]) -> Vec<String> {
        let store = Memory::new();
        let rules = Rules {
            revisions: Revisions::default(),
            sources: std::collections::BTreeMap::new(),
            store_since: None,
            guard: None,
        };
        let mut working = Working::new(&store);
        let context = TxContext {
            rules: &rules,
            at: Timestamp::from_s(1_767_607_200),
            jitter: 0,
            stops_held: None,
            gaps: &[],
            standing: &crate::domain::standing::StandingOrders::default(),
            live_licenses: 0,
        };
        let mut tx = Transaction::new(&mut working, context);
        for (n, (source, unheard)) in sources.iter().enumerate() {
            let id = format!("{source}/sub_{n}").parse().unwrap();
            let source = SourceName::from(*source);
            let machine = Machine::new(id, Kind::Subscription, source, None);
            let mut folded = fold(Kind::Subscription, &[], &rules.revisions, context.at);
            if let Life::Subscription(life) = &mut folded.life {
                life.unheard = *unheard;
            }
            report(&mut tx, &machine, &folded).unwrap();
        }
        tx.alerts.iter().map(|t| t.machine.to_string()).collect()
    }

    #[test]
    fn it_warns_of_each_source_once() {
        let all = [
            ("a", false),
            ("a", true),
            ("a", true),
            ("b", true),
            ("b", true),
        ];
        assert_eq!(warned(&all), ["a/sub_1", "b/sub_3"]);
    }
}
