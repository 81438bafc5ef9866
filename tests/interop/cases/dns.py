"""DNSSEC, DANE and MTA-STS against a zone that is really signed (ldns), served by nsd, in a network namespace of its own."""
import http.server
import json
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import threading
import time
import types

from cases.serve import Production
from harness import Skip, case, expect, expect_equal, message, run, token

ZONE = "far.test"
MX, WEB, NSD_PORT = "11.22.33.44", "11.22.33.50", 5300
DOMAINS = ("good", "bad", "sts", "stsbad", "plain", "alias")


def certificates(folder):
    """A CA, and a certificate of it for the exchangers and policy hosts: ca.pem, cert.pem, key.pem."""
    names = ["mx.far.test", "mx-good.far.test", "mx-bad.far.test", "mx-alias.far.test", "mta-sts.sts.far.test", "mta-sts.stsbad.far.test"]
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Test CA", "-keyout", f"{folder}/ca-key.pem", "-out", f"{folder}/ca.pem"])
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx.far.test", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.csr"])
    with open(f"{folder}/names.cnf", "w") as f:
        f.write("subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n")
    run(["openssl", "x509", "-req", "-in", f"{folder}/cert.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca-key.pem", "-CAcreateserial", "-days", "30", "-extfile", f"{folder}/names.cnf", "-out", f"{folder}/cert.pem"])


def key_digest(folder):
    """SHA-256 of the certificate's public key: the data of a TLSA record "3 1 1"."""
    public = subprocess.run(["openssl", "x509", "-in", f"{folder}/cert.pem", "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True, capture_output=True).stdout
    import hashlib
    return hashlib.sha256(der).hexdigest()


class Zone:
    """far.test, signed, on 127.0.0.1:5300; anchor is the file of its key."""

    def __init__(self, folder, digest):
        # Enough records of other keys that the answer fits no datagram and is asked for by TCP (F10).
        others = [f"{i:064x}" for i in range(1, 61)]
        lines = [f"$ORIGIN {ZONE}.", "$TTL 60", "@ IN SOA ns hostmaster 1 3600 900 86400 60", "@ IN NS ns", "ns IN A 127.0.0.1",
                 "good IN MX 10 mx-good", f"mx-good IN A {MX}", *(f"_25._tcp.mx-good IN TLSA 3 1 1 {d}" for d in (*others, digest)),
                 "bad IN MX 10 mx-bad", f"mx-bad IN A {MX}", f"_25._tcp.mx-bad IN TLSA 3 1 1 {others[0]}",
                 "alias IN MX 10 mx-alias", "mx-alias IN CNAME mx-good",
                 "plain IN MX 10 mx-plain", f"mx-plain IN A {MX}",
                 "sts IN MX 10 mx", f"mx IN A {MX}", '_mta-sts.sts IN TXT "v=STSv1; id=1;"', f"mta-sts.sts IN A {WEB}",
                 "stsbad IN MX 10 mx", '_mta-sts.stsbad IN TXT "v=STSv1; id=1;"', f"mta-sts.stsbad IN A {WEB}"]
        with open(f"{folder}/{ZONE}.zone", "w") as f:
            f.write("\n".join(lines) + "\n")
        keys = [run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, ZONE], cwd=folder)[1].strip() for flags in (["-k"], [])]
        run(["ldns-signzone", "-n", f"{ZONE}.zone", *keys], cwd=folder)
        self.anchor = f"{folder}/{keys[0]}.key"
        with open(f"{folder}/nsd.conf", "w") as f:
            f.write(f'server:\n  ip-address: 127.0.0.1@{NSD_PORT}\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n  database: ""\n  pidfile: "{folder}/nsd.pid"\n'
                    f'  xfrdfile: "{folder}/xfrd.state"\n  zonelistfile: "{folder}/zone.list"\n  logfile: "{folder}/nsd.log"\nremote-control:\n  control-enable: no\n'
                    f'zone:\n  name: {ZONE}\n  zonefile: {ZONE}.zone.signed\n')
        self.process = subprocess.Popen(["nsd", "-d", "-c", f"{folder}/nsd.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/nsd.err", "w"))

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class PolicyHost:
    """mta-sts.*.far.test: one policy for each domain."""

    def __init__(self, folder):
        policies = {"mta-sts.sts.far.test": "mx.far.test", "mta-sts.stsbad.far.test": "other.far.test"}
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.headers["Host"], self.path))
                body = f"version: STSv1\r\nmode: enforce\r\nmx: {policies[self.headers['Host']]}\r\nmax_age: 86400\r\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Receiver(Production):
    """Godwit as the exchanger of all the domains, with the CA's certificate."""

    def __init__(self, world, folder):
        self.program, self.folder = world.program, os.path.join(world.folder, "receiver")
        self.config, self.certificate = os.path.join(self.folder, "godwit.toml"), os.path.join(folder, "ca.pem")
        self.log, self.process, self.ports = os.path.join(world.folder, "receiver.log"), None, {"imaps": 21993}
        run([self.program, "init", "--hostname", "mx.far.test", "--domain", "good.far.test", "--dir", self.folder])
        text = re.split(r"(?m)^\[\[", self.read())[0]
        text += f'\n[[listener]]\nprotocol = "smtp"\naddress = "{MX}:25"\n[[listener]]\nprotocol = "imaps"\naddress = "127.0.0.1:21993"\n'
        text += f'[[certificate]]\ncertificate_file = "{folder}/cert.pem"\nkey_file = "{folder}/key.pem"\n'
        self.write(text)
        for name in DOMAINS:
            if name != "good":
                self.godwit("domain", "add", f"{name}.{ZONE}")
            self.godwit("account", "add", f"zoe@{name}.{ZONE}", "--password", "secret")


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"{what}: not after {seconds} s")
        time.sleep(0.2)


def inside_namespace(program, folder):
    run(["ip", "link", "set", "lo", "up"])
    for address in (MX, WEB):
        run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
    os.makedirs(folder)
    certificates(folder)
    zone, web = Zone(folder, key_digest(folder)), PolicyHost(folder)
    world = types.SimpleNamespace(program=program, folder=folder)
    with Receiver(world, folder) as receiver, Production(world, "sender") as sender:
        receiver.start()
        text = sender.read()
        head, rest = re.split(r"(?m)^(?=\[)", text, maxsplit=1)
        sender.write(head + f'trust.ca_file = "{folder}/ca.pem"\nresolver.dnssec = "required"\nresolver.trust_anchors = ["{zone.anchor}"]\n' + rest
                     + f'\n[[zone]]\ndomain = "{ZONE}"\nservers = ["127.0.0.1:{NSD_PORT}"]\n[[tls_policy]]\ndomain = "plain.{ZONE}"\nmode = "verify"\n')
        sender.godwit("account", "add", "anna@example.org", "--password", "annas secret")
        sender.start()

        def send(domain):
            word = token()
            client = smtplib.SMTP("127.0.0.1", sender.ports["submission"], timeout=20)
            client._host = "mx.example.org"
            with client:
                client.starttls(context=sender.tls())
                client.login("anna@example.org", "annas secret")
                client.sendmail("anna@example.org", [f"zoe@{domain}.{ZONE}"], message(word, sender="anna@example.org", to=f"zoe@{domain}.{ZONE}"))
            return word

        def arrives(domain):
            word = send(domain)
            wait_for(lambda: receiver.find(f"zoe@{domain}.{ZONE}", "secret", word), f"mail for {domain}")
            return receiver.find(f"zoe@{domain}.{ZONE}", "secret", word)[0]

        def waits(domain, reason):
            word = send(domain)
            shown = lambda: sender.godwit("queue", "list", "--json")[1]  # noqa: E731
            wait_for(lambda: reason in shown(), f"mail for {domain} waits because of {reason}; now {shown()}")
            expect_equal(receiver.find(f"zoe@{domain}.{ZONE}", "secret", word), [], f"nothing arrives at {domain}")

        expect(b"with ESMTPS" in arrives("good"), "DANE with the right key")
        expect(b"with ESMTPS" in arrives("alias"), "DANE behind an alias")

        def host_of(domain, user="zoe"):
            found = json.loads(sender.godwit("test-route", f"{user}@{domain}.{ZONE}", "--from", "anna@example.org", "--probe", "--json")[1])
            return found["remote"][0]["hosts"][0]

        # Asked without sending: what TLS must be and what it comes to, and what is said to RCPT.
        host = host_of("good")
        expect_equal((host["tls_policy"], host["tls_origin"]), ("dane", "dane"), "the policy")
        expect(host["tlsa"], "the TLSA records", host)
        probe = host["addresses"][0]["probe"]
        expect_equal((probe["verdict"], probe["stage"], probe["tls_version"], probe["tls_verified"]), ("accepted", "rcpt", "TLSv1.3", True), "the probe")
        probe = host_of("good", "nobody")["addresses"][0]["probe"]
        expect_equal((probe["verdict"], probe["stage"], probe["reply"][:9]), ("refused", "rcpt", "550 5.1.1"), "nobody there")
        probe = host_of("bad")["addresses"][0]["probe"]
        expect_equal((probe["verdict"], probe["stage"]), ("put_off", "tls"), "the wrong key")
        waits("bad", "TLS handshake failed")
        expect(b"with ESMTPS" in arrives("sts"), "MTA-STS with the right host")
        expect(("mta-sts.sts.far.test", "/.well-known/mta-sts.txt") in web.asked, "the policy was fetched", web.asked)
        waits("stsbad", "is no host of the MTA-STS policy")
        # The administrator's policy: the certificate does not name mx-plain.
        waits("plain", "TLS handshake failed")
        expect_equal(json.loads(sender.godwit("status", "--json")[1])["dnssec"], "required", "status")
        # The policy outlives a restart: nobody is asked for it again, and nobody would answer.
        web.stop()
        asked = len(web.asked)
        expect_equal(sender.stop(), 0, "exit code")
        sender.start()
        expect(b"with ESMTPS" in arrives("sts"), "MTA-STS by the policy that was kept")
        expect_equal(len(web.asked), asked, "requests to the policy host")
        expect_equal(sender.stop(), 0, "exit code")
        # A validator that trusts another key: every answer of the zone is forged to it, and mail waits.
        other = f"{folder}/{run(['ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', ZONE], cwd=folder)[1].strip()}.key"
        sender.write(sender.read().replace(zone.anchor, other))
        sender.start()
        waits("good", "DNS did not answer")
    zone.stop()


@case(seconds=180)
def signed_zone_dane_and_sts(world):
    """DANE with the right and a wrong key, MTA-STS, a policy of the administrator's, a forged zone."""
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        raise Skip("needs root and network namespaces")
    if not all(shutil.which(p) for p in ("nsd", "ldns-keygen", "ldns-signzone")):
        raise Skip("needs nsd and ldnsutils")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = f"import sys; sys.path.insert(0, {here!r}); from cases import dns; dns.inside_namespace(*sys.argv[1:])"
    run(["unshare", "-n", "--kill-child", sys.executable, "-B", "-c", script, world.program, os.path.join(world.folder, "signed")], seconds=170)
