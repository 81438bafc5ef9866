"""A private Postfix on a loopback port: its own folder, defaults apart from paths, routes and TLS. Needs root."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import time

MAIN = """compatibility_level = 3.6
queue_directory = {base}/spool
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/maillog
maillog_file_prefixes = {base}
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
# The default of 100, raised so that 100 sessions never wait for a process.
default_process_limit = 150
smtp_dns_support_level = disabled
smtp_host_lookup = native
lmtp_host_lookup = native
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = inline:{{ {transports} }}
smtputf8_enable = {utf8}
"""
MAILDIR = """virtual_mailbox_domains = {domain}
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = inline:{{ user@{domain}=user/, other@{domain}=other/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""
TLS = """smtpd_tls_security_level = may
smtpd_tls_chain_files = {base}/key.pem, {base}/cert.pem
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
"""
NO_TLS = """smtpd_tls_security_level = none
smtp_tls_security_level = none
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
{extra}pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
lmtp      unix  -       -       n       -       -       lmtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def self_signed(base, name):
    """key.pem and cert.pem for name in base, made once."""
    if not os.path.exists(f"{base}/cert.pem"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
                        "-keyout", f"{base}/key.pem", "-out", f"{base}/cert.pem"], check=True, capture_output=True)


class Postfix:
    """start() returns when the port answers; stop() ends every process. transports maps a domain or address to a next hop."""

    def __init__(self, base, port, domain, transports=None, tls=False, maildir=True, utf8=True, settings="", services="", wrap=()):
        self.base, self.port, self.domain, self.tls, self.wrap = base, port, domain, tls, list(wrap)
        self.transports, self.maildir, self.utf8, self.settings, self.services = transports or {}, maildir, utf8, settings, services

    def write(self):
        for folder in ("etc", "spool", "data", "mail"):
            os.makedirs(f"{self.base}/{folder}", exist_ok=True)
        # Postfix's own user has to reach its folders through those above.
        folder = self.base
        while folder not in ("/", "/tmp", "/var", "/var/tmp"):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)
        user = pwd.getpwnam("postfix")
        os.chown(f"{self.base}/data", user.pw_uid, 0)
        os.chown(f"{self.base}/mail", user.pw_uid, user.pw_gid)
        values = dict(base=self.base, domain=self.domain, port=self.port, uid=user.pw_uid, gid=user.pw_gid, utf8="yes" if self.utf8 else "no", extra=self.services,
                      transports=", ".join(f"{k}={v}" for k, v in self.transports.items()))
        text = MAIN + (MAILDIR if self.maildir else "") + (TLS if self.tls else NO_TLS)
        if self.tls:
            self_signed(self.base, f"mx.{self.domain}")
        with open(f"{self.base}/etc/main.cf", "w") as f:
            f.write(text.format(**values) + self.settings)
        with open(f"{self.base}/etc/master.cf", "w") as f:
            f.write(MASTER.format(**values))
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{self.base}/etc/")
        open(f"{self.base}/maillog", "w").close()

    def start(self):
        self.write()
        with open(f"{self.base}/start.log", "w") as log:
            done = subprocess.run([*self.wrap, "postfix", "-c", f"{self.base}/etc", "start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode:
            raise RuntimeError("postfix start: " + open(f"{self.base}/start.log").read() + self.log())
        end = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    if s.recv(100).startswith(b"220"):
                        return self
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"postfix does not answer: {self.log()}")
            time.sleep(0.05)

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.base}/etc", "stop"], capture_output=True)

    def master_pid(self):
        return int(open(f"{self.base}/spool/pid/master.pid").read())

    def queue_length(self):
        return sum(len(files) for name in ("maildrop", "incoming", "active", "deferred") for _, _, files in os.walk(f"{self.base}/spool/{name}"))

    def log(self):
        try:
            return open(f"{self.base}/maillog", errors="replace").read()[-4000:]
        except OSError:
            return ""

    def delivered(self, user="user"):
        """The messages in the user's maildir, whole, with CRLF line ends as they were on the wire."""
        return [open(path, "rb").read().replace(b"\n", b"\r\n") for path in sorted(glob.glob(f"{self.base}/mail/{user}/new/*"))]

    def wait_delivered(self, word, user="user", seconds=20):
        end = time.monotonic() + seconds
        while True:
            found = [m for m in self.delivered(user) if word.encode() in m]
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"nothing with {word} reached Postfix in {seconds} s:\n{self.log()}")
            time.sleep(0.1)

    def submit(self, sender, recipients, data):
        """Hands a message to this Postfix as a mail client on the machine would."""
        import smtplib
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo_or_helo_if_needed()
            return client.sendmail(sender, recipients, data, mail_options=["BODY=8BITMIME"] if max(data) > 127 else [])
