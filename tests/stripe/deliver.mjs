// Delivers events as Stripe's own library signs them: `node deliver.mjs URL`.
//
// Reads one JSON line per delivery, {file | event, secrets, age_s, alter}, and answers each with one {status, body}.
// `alter` changes one byte after the signing. Also checks that the library itself takes or refuses the same bytes.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import Stripe from 'stripe';

const [url] = process.argv.slice(2);
const stripe = new Stripe('sk_test_none');

function sign(payload, secret, timestamp) {
    return stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
}

// While a secret is rolled, Stripe signs with both: one header, one t, two v1.
function header(payload, secrets, timestamp) {
    const [first, ...others] = secrets.map((secret) => sign(payload, secret, timestamp));
    return [first, ...others.map((other) => other.slice(other.indexOf('v1=')))].join(',');
}

for await (const line of createInterface({ input: process.stdin })) {
    const { file, event, secrets, age_s: age = 0, alter = false, check } = JSON.parse(line);
    const payload = file ? readFileSync(file, 'utf8') : JSON.stringify(event);
    const signature = header(payload, secrets, Math.floor(Date.now() / 1000) - age);
    const body = alter ? payload.replace(/"livemode": ?true/, '"livemode":false') : payload;
    let library = 'accepted';
    try {
        stripe.webhooks.constructEvent(body, signature, check);
    } catch (error) {
        library = error.type ?? error.message;
    }
    const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
        body,
    });
    console.log(JSON.stringify({ status: response.status, body: await response.text(), library }));
}
