// A mailbox left and taken up again with QRESYNC (RFC 7162): what went and what changed meanwhile is told, also while it idles.
import { ImapFlow } from 'imapflow';
import { readFileSync } from 'node:fs';
import { strict as assert } from 'node:assert';

const word = process.argv[2];
const open = async (qresync) => {
  const client = new ImapFlow({
    host: 'localhost', port: +process.env.PORT_IMAPS, secure: true, auth: { user: 'node', pass: 'node' }, logger: false, qresync,
    tls: { ca: readFileSync(process.env.CA), checkServerIdentity: () => undefined },
  });
  await client.connect();
  return client;
};
const letter = (n) => Buffer.from(`From: a@b.test\r\nSubject: ${word} ${n}\r\n\r\nNumber ${n}\r\n`);
const until = async (what, condition) => {
  for (let i = 0; i < 150; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`not told in 15 s: ${what}`);
};

const other = await open(false);
const path = (await other.mailboxCreate(['Node', word])).path;
for (let n = 1; n <= 6; n++) await other.append(path, letter(n));

const first = await open(true);
assert.ok(first.enabled.has('QRESYNC'), 'ENABLE QRESYNC');
const { highestModseq, uidValidity } = await first.mailboxOpen(path);
assert.ok(highestModseq > 0n, 'HIGHESTMODSEQ');
await first.logout();

await other.mailboxOpen(path);
await other.messageDelete('2,4', { uid: true });
await other.messageFlagsAdd('5', ['\\Flagged'], { uid: true });

const client = await open(true);
const gone = [];
const flags = [];
let exists = 0;
client.on('expunge', (event) => gone.push(event));
client.on('flags', (event) => flags.push(event));
client.on('exists', (event) => { exists = event.count; });
const again = await client.mailboxOpen(path, { changedSince: highestModseq, uidValidity });
assert.ok(again.qresync, 'SELECT with QRESYNC');
assert.deepEqual(gone.map((event) => [event.uid, event.vanished, event.earlier]), [[2, true, true], [4, true, true]], 'VANISHED (EARLIER)');
assert.equal(again.exists, 4);
const changed = [];
for await (const m of client.fetch('1:*', { uid: true, flags: true }, { uid: true, changedSince: highestModseq })) changed.push([m.uid, [...m.flags]]);
assert.deepEqual(changed, [[5, ['\\Flagged']]], 'what changed since');

// While it idles.
gone.length = 0;
flags.length = 0;
const idling = client.idle();
await new Promise((resolve) => setTimeout(resolve, 200));
await other.messageDelete('3', { uid: true });
await other.messageFlagsAdd('6', ['\\Seen', 'blue'], { uid: true });
await other.append(path, letter(7));
await other.append(path, letter(8));
await until('VANISHED', () => gone.some((event) => event.uid === 3 && !event.earlier));
await until('FETCH', () => flags.some((event) => event.flags.has('blue')));
await until('EXISTS', () => exists === 5);
await client.noop();
await idling;
await client.logout();
await other.mailboxClose();
await other.mailboxDelete(path);
await other.logout();
