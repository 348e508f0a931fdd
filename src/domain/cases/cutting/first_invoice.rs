//! The first invoice of a subscription whose list is cut, and sources that hear of no invoices.

use super::*;

/// Rule 18: with an API key a new subscription's first invoice is asked for at once, and pays at once.
#[test]
fn a_first_invoice_is_asked_for_at_once() {
    let first = || {
        whole_lines(invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        ))
    };
    let named = |s: &mut Subscription| {
        (s.latest_invoice, s.created) = (Some("in_1".into()), Some(day(0.0)))
    };
    let mut case = Case::subscription(|_| {});
    case.stripe = Stripe {
        manner: Manner::Answers,
        invoices: vec![(0.0, first())],
        ..Stripe::default()
    };
    case.shown(0.0, 0.0, 30.0, named).is("active: live 33");
    // The endpoint still hears of no invoices: renewals are told by snapshots as before.
    case.shown(30.0, 30.0, 60.0, |s| {
        named(s);
        s.latest_invoice = Some("in_2".into());
    });
    case.is("active: live 63");
    case.acts("look_up create extend").tells(0.0, "");
    // Its own event, which comes a moment later, counts once.
    let mut hears = Case::subscription(|_| {});
    hears.stripe = Stripe {
        manner: Manner::Answers,
        invoices: vec![(0.0, first())],
        ..Stripe::default()
    };
    hears
        .shown(0.0, 0.0, 30.0, named)
        .told(0.0001, "invoice.paid", first())
        .on(9.0)
        .is("active: live 33");
    hears.acts("look_up create").mails("license_issued 0");

    // Not paid: asked for until it is, and nothing is handed out before.
    let mut late = Case::subscription(|_| {});
    let unpaid = with(first(), |i| i.paid = false);
    late.stripe = Stripe {
        manner: Manner::Answers,
        invoices: vec![(0.0, unpaid)],
        ..Stripe::default()
    };
    late.shown(0.0, 0.0, 30.0, named)
        .is("active:")
        .on(1.0)
        .is("active:");
    late.stripe.invoices = vec![(1.5, first())];
    late.on(2.0).is("active: live 33");

    // Nothing is asked where there is nothing to hand out, or a paid session speaks.
    let mut other = Case::subscription(|_| {});
    other.revisions[0].plans.clear();
    other.stripe = Stripe {
        manner: Manner::Refuses,
        invoices: Vec::new(),
        ..Stripe::default()
    };
    other.shown(0.0, 0.0, 30.0, named);
    assert_eq!(other.asks(), Vec::<&str>::new());
    // Refused: the snapshot speaks after ten minutes, as without a key.
    let mut refused = Case::subscription(|_| {});
    refused.stripe = Stripe {
        manner: Manner::Refuses,
        invoices: Vec::new(),
        ..Stripe::default()
    };
    refused
        .shown(0.0, 0.0, 30.0, named)
        .is("active:")
        .on(0.01)
        .is("active: live 33");
}

/// Rule 18: a source whose endpoint hears of no invoices lets a snapshot speak at once; once a paid invoice was heard of all
/// the same, none does.
#[test]
fn a_source_without_invoices_waits_for_none() {
    let made = |s: &mut Subscription| s.created = Some(day(0.0));
    let mut case = Case::subscription(|_| {});
    case.deaf = true;
    case.shown(0.0, 0.0, 30.0, made)
        .is("active: live 33")
        .mails("");
    case.shown(30.0, 30.0, 60.0, made).is("active: live 63");
    let mut sent = Case::subscription(|_| {});
    sent.deaf = true;
    sent.shown(0.0, 0.0, 30.0, |s| s.send_invoice = true)
        .on(1.0)
        .is("active:");
    let mut hears = Case::subscription(|_| {});
    hears
        .shown(0.0, 0.0, 30.0, made)
        .is("active:")
        .on(0.01)
        .is("active: live 33");
}

pub(super) fn with_cut(body: FactBody) -> FactBody {
    let FactBody::Subscription(mut shown) = body else {
        panic!("no snapshot")
    };
    shown.items_whole = false;
    FactBody::Subscription(shown)
}
