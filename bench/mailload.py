"""Small blocking IMAP and POP3 clients for load, and a repeatable body of mail. They parse no more than a measure needs."""
import base64
import functools
import random
import re
import socket
import ssl
import time

WORDS = ("time year people way day thing world school state family student group country problem hand part place case week company system program question work number night point home "
         "water room area money story fact month lot right study book eye job word business issue side kind head house service friend hour line").split()


def letter(number, size=None):
    """The same message for the same number: mostly text, some alternative, some with an attachment; about 4 KiB on average."""
    r = random.Random(number)

    def text(count):
        words = [r.choice(WORDS) for _ in range(count)]
        return "\r\n".join(" ".join(words[i:i + 12]) for i in range(0, count, 12)) + "\r\n"
    head = (f"Received: from out{r.randrange(9)}.load.test (out.load.test [192.0.2.{r.randrange(254)}])\r\n\tby mx.example.test with ESMTPS id {r.getrandbits(48):012x}\r\n"
            f"\tfor <user@example.test>; Sat, 21 Nov 2026 {r.randrange(24):02}:{r.randrange(60):02}:00 +0000\r\n"
            f"From: \"Person {r.randrange(500)}\" <p{r.randrange(500)}@load.test>\r\nTo: \"The User\" <user@example.test>\r\n" + ("Cc: a@load.test, b@load.test\r\n" if r.random() < 0.3 else "")
            + f"Subject: {'Re: ' if r.random() < 0.4 else ''}{' '.join(r.choice(WORDS) for _ in range(r.randrange(3, 9)))} {number}\r\n"
            f"Date: Sat, 21 Nov 2026 {r.randrange(24):02}:{r.randrange(60):02}:00 +0000\r\nMessage-ID: <{number}.{r.getrandbits(40):x}@load.test>\r\n"
            + (f"In-Reply-To: <{max(0, number - r.randrange(1, 50))}@load.test>\r\n" if r.random() < 0.4 else "") + "MIME-Version: 1.0\r\n")
    kind, count = r.random(), int(min(3000, r.lognormvariate(5.3, 0.8)))
    plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    if kind < 0.7:
        data = head + plain + text(count)
    else:
        mark = f"m{r.getrandbits(40):x}"
        if kind < 0.9:
            data = head + f"Content-Type: multipart/alternative; boundary={mark}\r\n\r\n--{mark}\r\n{plain}{text(count // 2)}--{mark}\r\nContent-Type: text/html\r\n\r\n<p>{text(count // 2)}</p>\r\n--{mark}--\r\n"
        else:
            attached = base64.encodebytes(r.randbytes(r.randrange(2000, 16000))).replace(b"\n", b"\r\n").decode()
            data = head + f"Content-Type: multipart/mixed; boundary={mark}\r\n\r\n--{mark}\r\n{plain}{text(count // 2)}--{mark}\r\nContent-Type: application/pdf; name=f.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{attached}--{mark}--\r\n"
    if size:
        while len(data) < size:
            data += "The quick brown fox jumps over the lazy dog and counts lines up to seventy.\r\n"
        data = data[:size - 2] + "\r\n"
    return data.encode()


@functools.cache
def _client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection:
    def __init__(self, port, timeout=300, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = _client_context().wrap_socket(self.socket)
        self.buffer, self.number = b"", 0
        self.line()

    def line(self):
        return self.upto(b"\r\n")

    def upto(self, end):
        while (i := self.buffer.find(end)) < 0:
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError(self.buffer[-200:])
            self.buffer += data
        found, self.buffer = self.buffer[:i + len(end)], self.buffer[i + len(end):]
        return found

    def close(self):
        self.socket.close()


class Imap(Connection):
    def command(self, text):
        """(seconds, the whole response). For commands without literals from us."""
        self.number += 1
        tag = b"T%06d " % self.number
        began = time.perf_counter()
        self.socket.sendall(tag + text.encode() + b"\r\n")
        chunks, tail = [self.buffer], b"\r\n" + self.buffer
        self.buffer = b""
        # The tagged line is the last one: look only at the tail of what came.
        while not (tail.endswith(b"\r\n") and tail.rfind(b"\r\n" + tag) >= 0 and tail[tail.rfind(b"\r\n" + tag) + 2:].count(b"\r\n") == 1):
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(tail[-200:])
            chunks.append(data)
            tail = (tail + data)[-8192:]
        seconds = time.perf_counter() - began
        if tail[tail.rfind(b"\r\n" + tag) + 2 + len(tag):][:2] != b"OK":
            raise RuntimeError(f"{text[:80]}: {tail[-200:]!r}")
        return seconds, b"".join(chunks)

    def login(self, user, secret):
        return self.command(f"LOGIN {user} {secret}")[0]

    def append(self, box, data):
        """One APPEND with a literal that needs no go-ahead (RFC 7888), to its OK."""
        self.number += 1
        tag = b"T%06d " % self.number
        self.socket.sendall(tag + b"APPEND " + box.encode() + b" {%d+}\r\n" % len(data) + data + b"\r\n")
        while not (line := self.line()).startswith(tag):
            pass
        if not line.startswith(tag + b"OK"):
            raise RuntimeError(line)

    def fill(self, box, messages, ahead=50):
        """APPENDs in a pipeline, `ahead` of them unanswered."""
        waiting = 0
        for data in messages:
            self.number += 1
            self.socket.sendall(b"T%06d APPEND %b {%d+}\r\n" % (self.number, box.encode(), len(data)) + data + b"\r\n")
            waiting += 1
            while waiting >= ahead:
                waiting -= self._answered()
        while waiting:
            waiting -= self._answered()

    def _answered(self):
        line = self.line()
        if line.startswith(b"T"):
            if not re.match(rb"T\d+ OK", line):
                raise RuntimeError(line)
            return 1
        return 0


class Pop3(Connection):
    def command(self, text, end=b"\r\n"):
        self.socket.sendall(text.encode() + b"\r\n")
        found = self.upto(end)
        if not found.startswith(b"+OK"):
            raise RuntimeError(found[:200])
        return found
