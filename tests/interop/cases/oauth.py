"""Logins with access tokens: an issuer on loopback (HTTPS), tokens signed by openssl, curl and Python as mail programs."""
import base64
import http.server
import imaplib
import json
import os
import re
import ssl
import threading
import time
import urllib.parse

from cases.serve import Production, add_people
from harness import case, expect, expect_equal, message, need, run, token

ISSUER, ASKED = "https://id.example.org", "https://ask.example.org"
SECRET = "s3cret & more"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Discovery, keys and introspection of two issuers, by HTTPS with a certificate of a CA of its own."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.asked, self.opaque = folder, [], {}
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Test CA", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem")])
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=id.example.org", "-addext", "subjectAltName=DNS:id.example.org,DNS:ask.example.org", "-keyout", self.path("web.key"), "-out", self.path("web.csr")])
        run(["openssl", "x509", "-req", "-in", self.path("web.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "30", "-copy_extensions", "copy", "-out", self.path("web.pem")])
        run(["openssl", "genrsa", "-out", self.path("token.key"), "2048"])
        modulus = run(["openssl", "rsa", "-in", self.path("token.key"), "-noout", "-modulus"])[1].strip().split("=")[1]
        self.keys = {"keys": [{"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}]}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, value, status=200):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                issuer.asked.append(self.path)
                known = {"/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": ISSUER + "/keys"}, "/keys": issuer.keys}
                self.answer(known.get(self.path, {}), 200 if self.path in known else 404)

            def do_POST(self):
                issuer.asked.append(self.path)
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                who = base64.b64decode(self.headers.get("Authorization", "").partition(" ")[2]).decode()
                if who != "mail:" + urllib.parse.quote(SECRET, safe=""):
                    return self.answer({}, 401)
                known = issuer.opaque.get(form["token"])
                self.answer({"active": True, "username": known, "scope": "mail"} if known else {"active": False})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path("web.pem"), self.path("web.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def signed(self, **claims):
        """A token for ben@example.org, but for what `claims` says."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "mail", "email": "ben@example.org", "scope": "openid mail", "iat": now, "exp": now + 600, **claims}
        text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "at+jwt", "kid": "one"}, claims))
        with open(self.path("text"), "w") as f:
            f.write(text)
        run(["openssl", "dgst", "-sha256", "-sign", self.path("token.key"), "-out", self.path("signature"), self.path("text")])
        with open(self.path("signature"), "rb") as f:
            return text + "." + b64(f.read())


def configure(server, issuer):
    text = re.sub(r"(?m)^#?trust\.ca_file.*$\n?", "", server.read())
    server.write(f'trust.ca_file = "{issuer.path("ca.pem")}"\n' + text + f"""
[[web_host]]
host = "id.example.org"
address = "127.0.0.1:{issuer.port}"
[[web_host]]
host = "ask.example.org"
address = "127.0.0.1:{issuer.port}"
[[oauth]]
issuer = "{ISSUER}"
audience = "mail"
scopes = ["mail"]
[[oauth]]
issuer = "{ASKED}"
account_claim = "username"
scopes = ["mail"]
introspection_url = "{ASKED}/introspect"
client_id = "mail"
client_secret = "{SECRET}"
""")


@case(seconds=120)
def tokens_of_an_issuer(world):
    need("openssl", "curl")
    issuer = Issuer(os.path.join(world.folder, "issuer"))
    with Production(world, "tokens") as server:
        configure(server, issuer)
        server.start()
        add_people(server)
        good, forged = issuer.signed(), issuer.signed()[:-8] + "AAAAAAAA"

        def curl(service, bearer, *more, codes=(0,), user="ben@example.org"):
            scheme = {"submissions": "smtps"}.get(service, service)
            path = "/INBOX" if service == "imaps" else ""
            return run(["curl", "--silent", "--show-error", "--max-time", "25", "--insecure", "--user", user + ":", "--oauth2-bearer", bearer, *more, "--url", f"{scheme}://127.0.0.1:{server.ports[service]}{path}"], codes=codes)

        for login in ((), ("--login-options", "AUTH=OAUTHBEARER"), ("--login-options", "AUTH=XOAUTH2")):
            curl("imaps", good, "--request", "NOOP", *login)
            curl("pop3s", good, *login)
            curl("imaps", forged, "--request", "NOOP", *login, codes=(67,))
            word = token()
            letter = issuer.path("letter")
            with open(letter, "wb") as f:
                f.write(message(word, sender="ben@example.org", to="ben@example.org"))
            curl("submissions", good, "--mail-from", "ben@example.org", "--mail-rcpt", "ben@example.org", "--upload-file", letter, *login)
            expect_equal(len(server.find("ben", "bens secret", word)), 1, "mail sent with a token")
        # Fetched once, whatever was shown.
        expect_equal([p for p in issuer.asked if p == "/keys"], ["/keys"], "how often the keys were fetched")
        # Of others, for others, of nobody.
        for wrong in (dict(email="anna@example.org"), dict(email="nobody@example.org"), dict(aud="calendar"), dict(scope="openid"), dict(exp=int(time.time()) - 600), dict(iss="https://id.example.net")):
            curl("pop3s", issuer.signed(**wrong), codes=(67,))
        curl("imaps", issuer.signed(email="anna@example.org"), "--request", "NOOP", user="anna@example.org")
        # Opaque ones are asked about, and the answer is kept for a while.
        issuer.opaque["opaque-123"] = "ben"
        for _ in range(2):
            mail = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=ssl._create_unverified_context(), timeout=30)
            expect("AUTH=OAUTHBEARER" in mail.capabilities and "AUTH=XOAUTH2" in mail.capabilities, "what is announced", mail.capabilities)
            mail.authenticate("XOAUTH2", lambda _: b"user=ben@example.org\x01auth=Bearer opaque-123\x01\x01")
            expect_equal(mail.select()[0], "OK", "SELECT")
            mail.logout()
        expect_equal(issuer.asked.count("/introspect"), 1, "how often the issuer was asked")
        curl("pop3s", "opaque-456", codes=(67,))
        log = server.logged()
        expect(good.split(".")[2] not in log and good.split(".")[1] not in log and "opaque-" not in log, "no token is logged")
        expect("login.token_refused" in log, "but that they were refused", log[-2000:])
        # The issuer is away: nobody is told that the token is wrong.
        issuer.server.shutdown()
        issuer.server.server_close()
        code, out = curl("imaps", "opaque-789", "--request", "NOOP", codes=(67, 56, 8))
        expect("login.token_not_checked" in server.logged(), "an issuer that is away is logged", out)
        expect_equal(server.stop(), 0, "exit code")
