"""Plain clients: each is sure which byte of which answer it has seen."""
import base64
import json
import re
import socket
import ssl

TIMEOUT = 30


class Gone(Exception):
    """The connection ended, or the server said that it ends."""


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Line:
    def __init__(self, port, tls=None, timeout=TIMEOUT):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket)
        except OSError as error:
            raise Gone(f"connect: {error}") from None
        self.buffer = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(f"send: {error}") from None

    def more(self):
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            raise Gone(f"recv: {error!r}") from None
        if not data:
            raise Gone("closed")
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def octets(self, count):
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass


def stuffed(data):
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


class Smtp(Line):
    """SMTP, submission and LMTP."""

    def __init__(self, port, tls=None, login=None, lmtp=False):
        super().__init__(port, tls)
        self.expect(220)
        self.send(b"LHLO load.test\r\n" if lmtp else b"EHLO load.test\r\n")
        self.expect(250)
        if login:
            self.send(b"AUTH PLAIN " + base64.b64encode(b"\0%b\0%b" % (login.encode(), login.encode())) + b"\r\n")
            self.expect(235)

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return int(line[:3]), line.decode()

    def expect(self, code):
        got = self.reply()
        if got[0] != code:
            raise Gone(f"expected {code}, found {got[1]}")
        return got[1]

    def envelope(self, sender, recipients):
        """The codes of MAIL, each RCPT, and DATA."""
        self.send(b"MAIL FROM:<%b>\r\n" % sender.encode() + b"".join(b"RCPT TO:<%b>\r\n" % r.encode() for r in recipients) + b"DATA\r\n")
        return [self.reply() for _ in range(len(recipients) + 2)]


class No(Exception):
    """A tagged NO or BAD."""


class Imap(Line):
    def __init__(self, port, tls, login):
        super().__init__(port, tls)
        self.number = 0
        self.line()
        self.do(b"LOGIN %b %b" % (login.encode(), login.encode()))

    def response(self):
        """One response: its text with literals left out, and the literals."""
        text, literals = b"", []
        while True:
            line = self.line()
            found = re.search(rb"\{(\d+)\}$", line)
            if not found:
                return text + line, literals
            text += line[:found.start()] + b" LITERAL "
            literals.append(self.octets(int(found.group(1))))

    def begin(self, command):
        self.number += 1
        self.send(b"a%d %b\r\n" % (self.number, command))

    def finish(self):
        """Untagged responses and the tagged OK's text."""
        untagged = []
        tag = b"a%d " % self.number
        while True:
            text, literals = self.response()
            if text.startswith(tag):
                if not text.startswith(tag + b"OK"):
                    raise No(text.decode(errors="replace"))
                return untagged, text
            if text.startswith(b"* BYE"):
                raise Gone(text.decode())
            untagged.append((text, literals))

    def do(self, command):
        self.begin(command)
        return self.finish()


def quoted(name):
    return b'"' + name.encode() + b'"'


class Pop3(Line):
    def __init__(self, port, tls, login):
        super().__init__(port, tls)
        self.ok()
        self.do(f"USER {login}")
        self.do(f"PASS {login}")

    def ok(self):
        line = self.line()
        if not line.startswith(b"+OK"):
            raise No(line.decode(errors="replace"))
        return line

    def do(self, command):
        self.send(command.encode() + b"\r\n")
        return self.ok()

    def lines(self, command):
        self.do(command)
        out = []
        while (line := self.line()) != b".":
            out.append(line.decode())
        return out

    def retrieve(self, number):
        self.do(f"RETR {number}")
        while not self.buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in self.buffer:
            self.more()
        if self.buffer.startswith(b".\r\n"):
            body, self.buffer = b"", self.buffer[3:]
        else:
            body, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
            body += b"\r\n"
        return body[1:].replace(b"\r\n..", b"\r\n.") if body.startswith(b"..") else body.replace(b"\r\n..", b"\r\n.")


class Admin:
    """The administrator's socket: one JSON object a line each way."""

    def __init__(self, path):
        try:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(path)
        except OSError as error:
            raise Gone(f"admin: {error}") from None
        self.buffer = b""

    def call(self, call, **arguments):
        try:
            self.socket.sendall(json.dumps(dict(call=call, arguments=arguments)).encode() + b"\n")
            while b"\n" not in self.buffer:
                data = self.socket.recv(1 << 20)
                if not data:
                    raise Gone("admin closed")
                self.buffer += data
        except OSError as error:
            raise Gone(f"admin: {error}") from None
        line, _, self.buffer = self.buffer.partition(b"\n")
        answer = json.loads(line)
        if not answer["ok"]:
            raise No(json.dumps(answer["error"]))
        return answer["result"]

    def rows(self, call, **arguments):
        out, page = [], {}
        while True:
            result = self.call(call, **arguments, **page)
            out += result["rows"]
            if "next" not in result:
                return out
            page = {"after": result["next"]}

    def close(self):
        self.socket.close()
