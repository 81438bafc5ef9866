// Sends three messages: STARTTLS, implicit TLS with a pool, and a big attachment. Ends with 1 on anything unexpected.
import nodemailer from 'nodemailer';
import { readFileSync } from 'node:fs';

const word = process.argv[2];
const tls = { ca: readFileSync(process.env.CA), servername: 'localhost', checkServerIdentity: () => undefined };
const auth = { user: 'alice', pass: 'alice' };
const letter = (n) => ({
  from: 'Alice Ä <alice@example.test>', to: 'Bob <bob@example.test>', subject: `${word} ${n} Grüße`,
  text: 'Plain ✓', html: '<p>HTML ✓</p>', bcc: 'carol@example.test',
});

const starttls = nodemailer.createTransport({ host: 'localhost', port: +process.env.PORT_SUBMISSION, requireTLS: true, auth, tls });
await starttls.verify();
const sent = await starttls.sendMail(letter(1));
if (sent.rejected.length || sent.accepted.length !== 2) throw new Error(`refused: ${JSON.stringify(sent)}`);

const pool = nodemailer.createTransport({ pool: true, maxConnections: 2, host: 'localhost', port: +process.env.PORT_SUBMISSIONS, secure: true, auth, tls });
await Promise.all([
  pool.sendMail(letter(2)),
  pool.sendMail({ ...letter(3), attachments: [{ filename: 'größe.bin', content: Buffer.alloc(3_000_000, 7) }] }),
]);
pool.close();

const wrong = nodemailer.createTransport({ host: 'localhost', port: +process.env.PORT_SUBMISSION, requireTLS: true, auth: { user: 'alice', pass: 'no' }, tls });
const refused = await wrong.sendMail(letter(9)).then(() => null, (error) => error);
if (!refused || refused.code !== 'EAUTH') throw new Error(`a wrong password: ${refused}`);
starttls.close();
wrong.close();
