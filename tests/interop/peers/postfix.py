"""A private Postfix on a loopback port: its own folder, defaults apart from paths, routes and TLS. Needs root."""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading

from .peer import Peer

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
MAILDIR = """virtual_mailbox_domains = {domain}, cut.{domain}
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = inline:{{ {maps} }}
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
GREY = """smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{grey}, permit
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


def self_signed(base, name, key=("rsa:2048",)):
    """key.pem and cert.pem for name in base, made once; key is what `openssl req -newkey` takes."""
    if not os.path.exists(f"{base}/cert.pem"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
                        "-keyout", f"{base}/key.pem", "-out", f"{base}/cert.pem"], check=True, capture_output=True)


class Greylist(threading.Thread):
    """A policy service (Postfix's SMTPD_POLICY_README): the first attempt at grey@ is put off, the others are not."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener, self.has_greeted = socket.create_server(("127.0.0.1", port)), False

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            asked = {}
            for line in connection.makefile("r", encoding="utf-8"):
                name, _, value = line.strip().partition("=")
                asked[name] = value
                if name:
                    continue
                is_first = asked.get("recipient", "").startswith("grey@") and not self.has_greeted
                self.has_greeted |= is_first
                connection.sendall(b"action=451 4.7.1 Greylisted, try again\n\n" if is_first else b"action=dunno\n\n")
                asked = {}

    def stop(self):
        # close() alone would not end accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Postfix(Peer):
    """start() returns when the port answers; stop() ends every process. transports maps a domain or address to a next hop.

    greylist is a port for a policy service by which grey@ is put off once.
    """

    title = "Postfix"

    def __init__(self, base, port, domain, transports=None, tls=False, maildir=True, utf8=True, settings="", services="", greylist=None, wrap=()):
        super().__init__(base, port, domain, None, tls, wrap)
        self.transports, self.maildir, self.utf8, self.settings, self.services, self.greylist = transports or {}, maildir, utf8, settings, services, greylist
        self.policy = None

    def write(self):
        for folder in ("etc", "spool", "data", "mail"):
            os.makedirs(f"{self.base}/{folder}", exist_ok=True)
        user = pwd.getpwnam("postfix")
        os.chown(f"{self.base}/data", user.pw_uid, 0)
        os.chown(f"{self.base}/mail", user.pw_uid, user.pw_gid)
        values = dict(base=self.base, domain=self.domain, port=self.port, uid=user.pw_uid, gid=user.pw_gid, utf8="yes" if self.utf8 else "no", extra=self.services,
                      transports=", ".join(f"{k}={v}" for k, v in self.transports.items()),
                      maps=", ".join(f"{u}@{d}={u}/" for u in self.users for d in (self.domain, f"cut.{self.domain}")))
        text = MAIN + (MAILDIR if self.maildir else "") + (TLS if self.tls else NO_TLS) + (GREY if self.greylist else "")
        if self.tls:
            self_signed(self.base, f"mx.{self.domain}")
        with open(f"{self.base}/etc/main.cf", "w") as f:
            f.write(text.format(grey=self.greylist, **values) + self.settings)
        with open(f"{self.base}/etc/master.cf", "w") as f:
            f.write(MASTER.format(**values))
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{self.base}/etc/")
        open(f"{self.base}/maillog", "a").close()

    def launch(self):
        with open(f"{self.base}/start.log", "w") as log:
            done = subprocess.run([*self.wrap, "postfix", "-c", f"{self.base}/etc", "start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode:
            raise AssertionError("postfix start: " + open(f"{self.base}/start.log").read() + self.log())
        if self.greylist and not self.policy:
            self.policy = Greylist(self.greylist)
            self.policy.start()

    def is_running(self):
        return os.path.exists(f"{self.base}/spool/pid/master.pid") and not subprocess.run(["postfix", "-c", f"{self.base}/etc", "status"], capture_output=True).returncode

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.base}/etc", "stop"], capture_output=True)
        if self.policy:
            self.policy.stop()
            self.policy = None

    def kill(self):
        # The master leads a group of its own, with all its children.
        os.killpg(self.master_pid(), signal.SIGKILL)

    def master_pid(self):
        return int(open(f"{self.base}/spool/pid/master.pid").read())

    def flush(self):
        subprocess.run(["postqueue", "-c", f"{self.base}/etc", "-f"], capture_output=True, timeout=60, check=True)

    def queue_length(self):
        return sum(len(files) for name in ("maildrop", "incoming", "active", "deferred") for _, _, files in os.walk(f"{self.base}/spool/{name}"))

    def log_text(self):
        with contextlib.suppress(OSError):
            return open(f"{self.base}/maillog", errors="replace").read()
        return ""

    def connections(self):
        return self.log_text().count("]: connect from ")
