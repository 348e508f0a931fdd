// The license guide's own webhook handler, written out as a vendor would copy it: one Express program that verifies the
// signature with Stripe's own library, looks into its table of event ids, asks the license service for a key, notes both
// and answers. This is what Keyward is measured against, so it is kept as kind to the guide as its text allows: prepared
// statements, a keep-alive connection to the license service, one transaction (one sync) per event.
import Database from 'better-sqlite3';
import express from 'express';
import Stripe from 'stripe';

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const api = `${env('LICENSE_API_BASE')}/v1/licenses`;
const headers = { authorization: `Bearer ${env('LICENSE_API_KEY')}`, 'content-type': 'application/json' };
const secret = env('STRIPE_WEBHOOK_SECRET');
const stripe = new Stripe('sk_live_no_call_is_made_with_it');

const db = new Database(env('DATABASE'));
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec(`
  CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS licenses (
    stripe_id TEXT PRIMARY KEY, license_key TEXT NOT NULL, email TEXT, expires_at TEXT
  ) WITHOUT ROWID;
`);
const seen = db.prepare('SELECT 1 FROM events WHERE id = ?');
const noteEvent = db.prepare('INSERT OR IGNORE INTO events (id, type, created) VALUES (?, ?, ?)');
const noteLicense = db.prepare('INSERT INTO licenses (stripe_id, license_key, email, expires_at) VALUES (?, ?, ?, ?)');
const licenseOf = db.prepare('SELECT license_key FROM licenses WHERE stripe_id = ?');
const note = db.transaction((event, license) => {
  if (license) noteLicense.run(license.stripeId, license.licenseKey, license.email, license.expiresAt);
  noteEvent.run(event.id, event.type, event.created);
});

async function createLicense(stripeId, label, object, expiresAt) {
  const slots = Number(object.metadata?.max_hwid_slots ?? 1);
  const body = { appId: object.metadata.authforge_app_id, quantity: 1, maxHwidSlots: slots, expiresAt, label };
  const answer = await fetch(api, { method: 'POST', headers, body: JSON.stringify(body) });
  const { licenses } = await answer.json();
  return { stripeId, licenseKey: licenses[0].licenseKey, email: object.customer_details?.email ?? null, expiresAt };
}

async function updateLicense(stripeId, body) {
  const row = licenseOf.get(stripeId);
  if (!row) return;
  const answer = await fetch(`${api}/${row.license_key}`, { method: 'PUT', headers, body: JSON.stringify(body) });
  await answer.arrayBuffer();
}

const iso = (seconds) => new Date(seconds * 1000).toISOString();
const subscriptionOf = (invoice) => invoice.parent?.subscription_details?.subscription ?? invoice.subscription;

async function handle(event) {
  const object = event.data.object;
  switch (event.type) {
    case 'checkout.session.completed': {
      if (object.mode !== 'payment' || !object.metadata?.authforge_app_id) return null;
      const days = object.metadata.license_duration;
      const expiresAt = days ? iso(event.created + Number(days) * 86_400) : null;
      return createLicense(object.id, `Stripe session ${object.id}`, object, expiresAt);
    }
    case 'customer.subscription.created': {
      if (!object.metadata?.authforge_app_id) return null;
      const end = object.items.data[0].current_period_end ?? object.current_period_end;
      return createLicense(object.id, `Stripe sub ${object.id}`, object, iso(end));
    }
    case 'invoice.paid':
      await updateLicense(subscriptionOf(object), { action: 'extend', expiresAt: iso(object.lines.data[0].period.end) });
      return null;
    case 'customer.subscription.deleted':
      await updateLicense(object.id, { action: 'revoke' });
      return null;
    default:
      return null;
  }
}

const app = express();
app.post('/webhooks/stripe', express.raw({ type: 'application/json' }), async (req, res) => {
  let event;
  try {
    event = stripe.webhooks.constructEvent(req.body, req.headers['stripe-signature'], secret);
  } catch (error) {
    return res.status(400).send(`Webhook Error: ${error.message}`);
  }
  if (seen.get(event.id)) return res.json({ received: true });
  note(event, await handle(event));
  return res.json({ received: true });
});
app.listen(Number(env('PORT')), '127.0.0.1');
