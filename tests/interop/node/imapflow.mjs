// A session as a web mail has it: list, create, append, fetch, search, flags, move, idle. Ends with 1 on anything unexpected.
import { ImapFlow } from 'imapflow';
import { readFileSync } from 'node:fs';
import { strict as assert } from 'node:assert';

const word = process.argv[2];
const open = async (port, secure) => {
  const client = new ImapFlow({
    host: 'localhost', port: +port, secure, doSTARTTLS: secure ? undefined : true, auth: { user: 'node', pass: 'node' }, logger: false,
    tls: { ca: readFileSync(process.env.CA), checkServerIdentity: () => undefined },
  });
  await client.connect();
  return client;
};
const letter = (n) => Buffer.from(`From: a@b.test\r\nTo: node@example.test\r\nSubject: ${word} ${n}\r\nMessage-ID: <${word}.${n}@b.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe ${n}\r\n--q\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--q--\r\n`);

const client = await open(process.env.PORT_IMAPS, true);
const box = `Node/${word}`;
const made = await client.mailboxCreate(['Node', word]);
assert.equal(made.created, true);
assert.ok((await client.list()).some((m) => m.path.endsWith(word)), 'LIST');
const path = made.path ?? box;
for (let n = 1; n <= 5; n++) {
  const answer = await client.append(path, letter(n), n === 1 ? ['\\Seen'] : [], new Date(1.6e12));
  assert.ok(answer.uid > 0, 'APPENDUID');
}
const lock = await client.getMailboxLock(path);
try {
  assert.equal(client.mailbox.exists, 5);
  const seen = [];
  for await (const m of client.fetch('1:*', { uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true })) {
    seen.push(m.envelope.subject);
    assert.equal(m.bodyStructure.childNodes.length, 2, 'BODYSTRUCTURE');
    assert.equal(m.bodyStructure.childNodes[1].dispositionParameters.filename, 'a.pdf');
    assert.equal(+m.internalDate, 1.6e12, 'INTERNALDATE');
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5].map((n) => `${word} ${n}`));
  const whole = await client.fetchOne('2', { source: true });
  assert.ok(whole.source.equals(letter(2)), 'bytes');
  const { content } = await client.download('3', '1');
  let text = '';
  for await (const chunk of content) text += chunk;
  assert.ok(text.includes('Grüße 3'), 'a decoded part');
  assert.deepEqual(await client.search({ seen: true }), [1]);
  assert.deepEqual(await client.search({ subject: `${word} 4` }), [4]);
  assert.deepEqual((await client.search({ header: { 'message-id': `${word}.5` } }, { uid: true })).length, 1);
  await client.messageFlagsAdd('2:3', ['\\Flagged', 'custom']);
  assert.deepEqual(await client.search({ flagged: true }), [2, 3]);
  await client.messageFlagsRemove('2', ['\\Flagged']);
  assert.deepEqual(await client.search({ keyword: 'custom' }), [2, 3]);
  const copied = await client.messageCopy('1:2', 'INBOX');
  assert.equal(copied.uidMap.size, 2, 'COPYUID');
  const moved = await client.messageMove('1', 'INBOX');
  assert.equal(moved.uidMap.size, 1, 'MOVE');
  await client.messageDelete('1');
  assert.equal((await client.status(path, { messages: true, unseen: true, uidNext: true })).messages, 3);
} finally {
  lock.release();
}

// New mail is told while the first connection idles.
const other = await open(process.env.PORT_IMAP, false);
await client.mailboxOpen(path);
const told = new Promise((resolve, reject) => {
  client.on('exists', resolve);
  setTimeout(() => reject(new Error('no EXISTS while idling')), 15000).unref();
});
const idling = client.idle();
await new Promise((resolve) => setTimeout(resolve, 200));
await other.append(path, letter(6));
assert.equal((await told).count, 4);
await client.noop();
await idling;
await client.mailboxClose();
await other.mailboxDelete(path);
await other.logout();
await client.logout();
