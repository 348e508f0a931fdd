//! The kinds of things that made-up shops do, each of which can be left out, and those that can be left unjudged.
//!
//! A kind is closed only while a known defect of it hides others; the integrator opens it by setting `true` here.

/// A kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Failing,
    Secure,
    Debit,
    WriteOff,
    Cancel,
    CancelAt,
    Refund,
    Dispute,
    Change,
    Swap,
    Quantity,
    Add,
    Remove,
    Pause,
    Manual,
    Coupon,
    Trial,
    AddTrial,
    MoveLookup,
    ResetAnchor,
    Sent,
    ManyItems,
    CutLists,
    Metadata,
    Backdated,
    Yearly,
    FreePlan,
    Unlicensed,
    FewTypes,
    Late,
    // From here on: what a shop may do, but what is not judged while its kind is closed.
    /// Rule 19: an open renewal keeps alive, and does not revive.
    DebitRevives,
    /// Rule 39: a loss stands, whatever other disputes are open.
    LossBesideOpen,
    /// Rule 25: later tries of side invoices.
    SideRetried,
    /// Rule 37: the rest of a refund comes when the period is over.
    RestRefundedLate,
    /// Rule 22: what happens to a trial under `trial = "none"` in its first minutes.
    TrialNone,
    /// Rule 34: a deletion together with a partial refund of the running period.
    EndedWithMoneyBack,
    /// Rule 36: money back is counted per invoice, over all its payments.
    TwoPayments,
    /// Rule 22: a set-up fee on a trial's first invoice.
    SetupFee,
    /// Rule 14: an item that is replaced hands its license on.
    ItemReplaced,
    /// Rule 14: an item that is added takes effect at once.
    ItemAdded,
    /// Rule 12: a lookup key that moves on takes nobody along.
    LookupMoved,
    /// Rule 33: a pause under on_pause = suspend, and its end.
    PauseSuspends,
    /// Rule 23: a trial that is added to a paid subscription.
    TrialAdded,
    /// Rule 34: a scheduled end counts for each item by itself, whatever became of the others.
    MixedScheduledEnd,
    /// Rule 15: an item that loses its plan keeps its devices until it ends.
    UnlicensedDevices,
    /// Rules 25, 32: a sent invoice for something else falls overdue while the renewal's is open.
    SentSideOverdue,
    /// Rules 20, 33: a subscription that was never paid is paused over a turn.
    PausedUnpaid,
    /// Rule 22: the set-up fee of a trial is declined; active at the trial's end pays nothing.
    FeeDeclined,
    /// A price that changes when the next period begins.
    ChangeAtTurn,
    /// Rule 35: a former customer begins anew.
    Resubscribe,
    /// Rule 24: a trial that ends without a payment method.
    TrialUnpaid,
    /// Rule 50: a person's decision.
    Decided,
}

/// Each kind, and whether shops may do it.
const KINDS: [(Kind, bool); 52] = [
    (Kind::Failing, true),
    (Kind::Secure, true),
    (Kind::Debit, true),
    (Kind::WriteOff, true),
    (Kind::Cancel, true),
    (Kind::CancelAt, true),
    (Kind::Refund, true),
    (Kind::Dispute, true),
    (Kind::Change, true),
    (Kind::Swap, true),
    (Kind::Quantity, true),
    (Kind::Add, true),
    (Kind::Remove, true),
    (Kind::Pause, true),
    (Kind::Manual, true),
    (Kind::Coupon, true),
    (Kind::Trial, true),
    (Kind::AddTrial, true),
    (Kind::MoveLookup, true),
    (Kind::ResetAnchor, true),
    (Kind::Sent, true),
    (Kind::ManyItems, true),
    (Kind::CutLists, true),
    (Kind::Metadata, true),
    (Kind::Backdated, true),
    (Kind::Yearly, true),
    (Kind::FreePlan, true),
    (Kind::Unlicensed, true),
    (Kind::FewTypes, true),
    (Kind::Late, true),
    (Kind::DebitRevives, true),
    (Kind::LossBesideOpen, true),
    (Kind::SideRetried, true),
    (Kind::RestRefundedLate, true),
    (Kind::TrialNone, true),
    (Kind::EndedWithMoneyBack, true),
    (Kind::TwoPayments, true),
    (Kind::SetupFee, true),
    (Kind::ItemReplaced, true),
    (Kind::ItemAdded, true),
    (Kind::LookupMoved, true),
    (Kind::PauseSuspends, true),
    (Kind::TrialAdded, true),
    (Kind::MixedScheduledEnd, true),
    (Kind::UnlicensedDevices, true),
    (Kind::SentSideOverdue, true),
    (Kind::PausedUnpaid, true),
    (Kind::FeeDeclined, true),
    (Kind::ChangeAtTurn, true),
    (Kind::Resubscribe, true),
    (Kind::TrialUnpaid, true),
    (Kind::Decided, true),
];

/// Whether shops may do this: as the table says, unless `KEYWARD_SHOP_KINDS` names kinds, or `all`.
pub(crate) fn open(kind: Kind) -> bool {
    match std::env::var("KEYWARD_SHOP_KINDS") {
        Ok(names) => names == "all" || names.split(',').any(|name| name == format!("{kind:?}")),
        Err(_) => KINDS.iter().any(|(k, on)| *k == kind && *on),
    }
}
