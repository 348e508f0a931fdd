// A real SMTP server for the mail tests: `node server.mjs '{"tls":"starttls"}'`.
//
// Options: tls "none" | "starttls" | "implicit"; user, password: a login is required; refuse_login; refuse_recipient,
// refuse_message: {code, text, times}, for ever where no times are given; after_data "drop" | "hang"; on_connect "hang".
// Prints one JSON line {port} when it listens, then one {mail} per message, as mailparser reads it. Ends with its stdin.
import { readFileSync } from 'node:fs';
import { SMTPServer } from 'smtp-server';
import { simpleParser } from 'mailparser';

const options = JSON.parse(process.argv[2] ?? '{}');
const tlsFile = (name) => readFileSync(new URL(`./tls/${name}`, import.meta.url));
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const refuses = (what) => what && (what.times === undefined || what.times-- > 0);
const refusal = ({ code, text }) => Object.assign(new Error(text), { responseCode: code });

async function read(stream, session) {
    const mail = await simpleParser(stream);
    print({
        mail: {
            from: mail.from?.value,
            to: mail.to?.value,
            reply_to: mail.replyTo?.value,
            subject: mail.subject,
            message_id: mail.messageId,
            date: mail.date,
            text: mail.text,
            html: mail.html,
            headers: Object.fromEntries(mail.headerLines.map(({ key, line }) => [key, line])),
            recipients: session.envelope.rcptTo.map(({ address }) => address),
            secure: session.secure,
            user: session.user ?? null,
        },
    });
}

const server = new SMTPServer({
    name: 'mail.test',
    secure: options.tls === 'implicit',
    disabledCommands: [...(options.tls === 'starttls' ? [] : ['STARTTLS']), ...(options.user ? [] : ['AUTH'])],
    key: tlsFile('localhost.key'),
    cert: tlsFile('localhost.pem'),
    authOptional: !options.user,
    disableReverseLookup: true,
    closeTimeout: 100,
    onConnect(_session, callback) {
        if (options.on_connect !== 'hang') callback();
    },
    onAuth({ username, password }, _session, callback) {
        const known = username === options.user && password === options.password && !options.refuse_login;
        // A rude server repeats what it was told.
        if (!known) return callback(refusal({ code: 535, text: `5.7.8 wrong password ${password}` }));
        callback(null, { user: username });
    },
    onRcptTo(_address, _session, callback) {
        callback(refuses(options.refuse_recipient) ? refusal(options.refuse_recipient) : null);
    },
    onData(stream, session, callback) {
        read(stream, session).then(() => {
            if (options.after_data === 'drop') return server.connections.forEach((c) => c._socket.destroy());
            if (options.after_data === 'hang') return undefined;
            return callback(refuses(options.refuse_message) ? refusal(options.refuse_message) : null, '2.0.0 queued as T1');
        }, callback);
    },
});

let listening = false;
// Failed handshakes are part of the tests; only what keeps the server from starting is told.
server.on('error', (error) => listening || process.stderr.write(`${error.message}\n`));
server.listen(0, '127.0.0.1', () => {
    listening = true;
    print({ port: server.server.address().port });
});
process.stdin.resume().on('end', () => process.exit(0));
