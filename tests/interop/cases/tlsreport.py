"""TLS reports (RFC 8460): a zone on loopback asks for them by HTTPS and by mail; a day later both come, once."""
import email
import gzip
import http.server
import json
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import threading
import types

from cases.cli import documented_fields, keys_of
from cases.dns import MX, NSD_PORT, WEB, ZONE, Receiver, certificates, wait_for
from cases.serve import Production
from harness import Skip, case, expect, expect_equal, message, run, token

REPORTS = "reports.far.test"
# Each domain's report goes out within 4 hours of midnight (UTC): surely, and not a day later.
LATER = 29 * 3600


def serve_zone(folder):
    """good.far.test has an exchanger, no policy, and wants reports at two places; none of it is signed."""
    lines = [f"$ORIGIN {ZONE}.", "$TTL 60", "@ IN SOA ns hostmaster 1 3600 900 86400 60", "@ IN NS ns", "ns IN A 127.0.0.1",
             "good IN MX 10 mx", f"mx IN A {MX}", f"reports IN A {WEB}",
             f'_smtp._tls.good IN TXT "v=TLSRPTv1; rua=https://{REPORTS}/v1/tls?from=us,mailto:tls%2Breports@good.{ZONE}"']
    with open(f"{folder}/{ZONE}.zone", "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(f"{folder}/nsd.conf", "w") as f:
        f.write(f'server:\n  ip-address: 127.0.0.1@{NSD_PORT}\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n  database: ""\n  pidfile: "{folder}/nsd.pid"\n'
                f'  xfrdfile: "{folder}/xfrd.state"\n  zonelistfile: "{folder}/zone.list"\n  logfile: "{folder}/nsd.log"\nremote-control:\n  control-enable: no\n'
                f'zone:\n  name: {ZONE}\n  zonefile: {ZONE}.zone\n')
    return subprocess.Popen(["nsd", "-d", "-c", f"{folder}/nsd.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/nsd.err", "w"))


class ReportDesk:
    """https://reports.far.test with a certificate of another name: takes what is posted."""

    def __init__(self, folder):
        posted = self.posted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.append((self.path, self.headers["Host"], self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def inside_namespace(program, folder):
    run(["ip", "link", "set", "lo", "up"])
    for address in (MX, WEB):
        run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
    os.makedirs(folder)
    certificates(folder)
    library = f"{folder}/later.so"
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(here, "later.c")])
    zone, desk = serve_zone(folder), ReportDesk(folder)
    world = types.SimpleNamespace(program=program, folder=folder)
    with Receiver(world, folder) as receiver, Production(world, "sender") as sender:
        receiver.start()
        reader = f"tls+reports@good.{ZONE}"
        receiver.godwit("account", "add", f"tls@good.{ZONE}", "--password", "secret")
        head, bar, rest = sender.read().partition("\n[")
        sender.write(head + '\nresolver.dnssec = "off"\ntls_reports.enabled = true\ntls_reports.organization = "Example Ltd"\n' + bar + rest
                     + f'\n[[zone]]\ndomain = "{ZONE}"\nservers = ["127.0.0.1:{NSD_PORT}"]\n')
        sender.godwit("account", "add", "anna@example.org", "--password", "annas secret")
        sender.start()
        word = token()
        client = smtplib.SMTP("127.0.0.1", sender.ports["submission"], timeout=20)
        client._host = "mx.example.org"
        with client:
            client.starttls(context=sender.tls())
            client.login("anna@example.org", "annas secret")
            client.sendmail("anna@example.org", [f"zoe@good.{ZONE}"], message(word, sender="anna@example.org", to=f"zoe@good.{ZONE}"))
        wait_for(lambda: receiver.find(f"zoe@good.{ZONE}", "secret", word), "the mail")
        listed = lambda *more: json.loads(sender.godwit("tls-report", "list", *more, "--json")[1])  # noqa: E731
        wait_for(listed, "the session is counted")
        row = listed()[0]
        expect_equal((row["domain"], row["state"], row["succeeded"], row["failed"]), (f"good.{ZONE}", "counting", 1, 0), "what was counted")
        day = row["day"]
        expect_equal(sender.stop(), 0, "exit code")
        # An orderly end loses nothing; no server runs now.
        expect_equal(listed("--day", day)[0]["succeeded"], 1, "counts after the end")
        sender.start(env={"LD_PRELOAD": library, "GODWIT_LATER": str(LATER)})
        wait_for(lambda: desk.posted, "the report by HTTPS")
        wait_for(lambda: receiver.find(f"tls@good.{ZONE}", "secret", "Submitter:"), "the report by mail")
        path, host, kind, body = desk.posted[0]
        expect_equal((path, host, kind), ("/v1/tls?from=us", REPORTS, "application/tlsrpt+gzip"), "the request")
        report = json.loads(gzip.decompress(body))
        expect_equal(report["organization-name"], "Example Ltd", "organization")
        expect_equal(report["date-range"], {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"}, "the day")
        expect_equal(report["contact-info"], "postmaster@example.org", "contact")
        expect_equal(report["policies"], [{"policy": {"policy-type": "no-policy-found", "policy-domain": f"good.{ZONE}"},
                                           "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0}}], "policies")
        mail = email.message_from_bytes(receiver.find(f"tls@good.{ZONE}", "secret", "Submitter:")[0])
        expect_equal((mail.get_content_type(), mail.get_param("report-type")), ("multipart/report", "tlsrpt"), "the mail's type")
        expect_equal((mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"], mail["To"]), (f"good.{ZONE}", "example.org", reader), "its fields")
        text, attached = mail.get_payload()
        expect_equal((text.get_content_type(), attached.get_content_type()), ("text/plain", "application/tlsrpt+gzip"), "its parts")
        expect(attached.get_filename().startswith(f"example.org!good.{ZONE}!") and attached.get_filename().endswith(".json.gz"), "file name", attached.get_filename())
        expect_equal(json.loads(gzip.decompress(attached.get_payload(decode=True))), report, "both are one report")
        wait_for(lambda: listed("--day", day)[0]["state"] == "sent", "the row says so")
        shown = json.loads(sender.godwit("tls-report", "show", f"good.{ZONE}", "--day", day, "--json")[1])
        expect_equal(shown["report"], report, "tls-report show")
        expect("good." in sender.godwit("tls-report", "list", "--day", day)[1], "as text")
        documented = documented_fields()
        expect_equal(keys_of(listed("--day", day)), documented["tls-report list"][0], "fields of tls-report list")
        expect_equal({*shown, *keys_of(shown["places"])}, documented["tls-report show"][0] | documented["tls-report list"][1], "fields of tls-report show")
        # Sent once, whatever restarts.
        expect_equal(sender.stop(), 0, "exit code")
        sender.start(env={"LD_PRELOAD": library, "GODWIT_LATER": str(LATER + 60)})
        sender.godwit("tls-report", "list")
        expect_equal(sender.stop(), 0, "exit code")
        expect_equal(len(desk.posted), 1, "posts")
        expect_equal(len(receiver.find(f"tls@good.{ZONE}", "secret", "Submitter:")), 1, "mails")
    zone.terminate()
    zone.wait(10)


@case(seconds=180)
def by_https_and_mail(world):
    """One session is counted, survives the end of the server, and a day later both places get the same report."""
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        raise Skip("needs root and network namespaces")
    if not shutil.which("nsd") or not shutil.which("cc"):
        raise Skip("needs nsd and cc")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = f"import sys; sys.path.insert(0, {here!r}); from cases import tlsreport; tlsreport.inside_namespace(*sys.argv[1:])"
    run(["unshare", "-n", "--kill-child", sys.executable, "-B", "-c", script, world.program, os.path.join(world.folder, "reported")], seconds=170)
