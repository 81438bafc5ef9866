"""A private Exim on a loopback port, defaults apart from paths, routes and TLS. Needs root."""
import os
import shutil
import subprocess

from .postfix import self_signed
from .unpacked import Unpacked

CONFIG = """primary_hostname = mx.{domain}
exim_path = {program}
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
pid_file_path = {base}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
disable_ipv6 = true
keep_environment =
never_users =
# Every process is the one user of this Exim; nothing here is setuid.
deliver_drop_privilege = true
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 300
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 256
remote_max_parallel = 10
message_size_limit = 50M
hosts_treat_as_local = 127.0.0.1
domainlist here = {domain} : cut.{domain}
log_selector = +smtp_connection +all_parents +tls_cipher
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
tls_advertise_hosts = {advertise}
{certificate}
begin acl
check_rcpt:
  accept !domains = +here
  deny !local_parts = {users}
    message = 5.1.1 No such user
  # The first attempt is put off, and leaves a file behind by which the second is known.
  defer local_parts = grey
    condition = ${{if !exists{{{base}/mail/greeted}}}}
    condition = ${{run{{/usr/bin/touch {base}/mail/greeted}}{{yes}}{{yes}}}}
    message = 4.7.1 Greylisted, try again
  accept
begin routers
here:
  driver = accept
  domains = +here
  local_parts = {users}
  transport = maildir
{routes}
out:
  driver = manualroute
  domains = example.test
  transport = to_next_hop
  route_list = * 127.0.0.1
  self = send
begin transports
maildir:
  driver = appendfile
  directory = {base}/mail/$local_part_data
  maildir_format
  create_directory
  user = Debian-exim
to_next_hop:
  driver = smtp
  port = {next_hop}
  allow_localhost
  hosts_try_fastopen =
  {policy}
{transports}
begin retry
* * F,2h,1m
"""


class Exim(Unpacked):
    """routes: routers and transports besides those that every case needs (for a bench)."""

    title, package, program, accounts = "Exim", "exim4-daemon-light", "usr/sbin/exim4", ("Debian-exim",)

    def __init__(self, *words, routes="", transports="", **more):
        super().__init__(*words, **more)
        self.routes, self.transports = routes, transports

    def write(self):
        self.make_system()
        for folder in ("spool", "log", "mail"):
            os.makedirs(f"{self.base}/{folder}", exist_ok=True)
        # Where its user can reach it, wherever the repository is.
        if not os.path.exists(f"{self.base}/exim"):
            shutil.copyfile(self.binary(), f"{self.base}/exim")
            os.chmod(f"{self.base}/exim", 0o755)
        certificate = ""
        if self.tls:
            self_signed(self.base, f"mx.{self.domain}")
            certificate = f"tls_certificate = {self.base}/cert.pem\ntls_privatekey = {self.base}/key.pem"
            os.chown(f"{self.base}/key.pem", *self.identity("Debian-exim"))
        for folder in ("", "/spool", "/log", "/mail"):
            os.chown(self.base + folder, *self.identity("Debian-exim"))
        # Its certificates are its own: nobody can vouch for them.
        policy = "hosts_require_tls = *\n  tls_verify_certificates =" if self.tls else "hosts_avoid_tls = *"
        with open(f"{self.base}/exim.conf", "w") as f:
            f.write(CONFIG.format(base=self.base, domain=self.domain, port=self.port, next_hop=self.next_hop, program=f"{self.base}/exim", advertise="*" if self.tls else "",
                                  certificate=certificate, policy=policy, users=" : ".join(self.users), routes=self.routes, transports=self.transports))

    def _exim(self, *words):
        # As its own user from the start: with another configuration than the one compiled in it gives up root's rights anyway.
        uid, gid = self.identity("Debian-exim")
        return self.inside("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", f"{self.base}/exim", "-C", f"{self.base}/exim.conf", *words)

    def command(self):
        # Without a queue runner: a case says when the queue is tried again.
        return self._exim("-bdf")

    def flush(self):
        subprocess.run(self._exim("-qff"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)

    def queue_length(self):
        return sum(name.endswith("-H") for _, _, names in os.walk(f"{self.base}/spool/input") for name in names)

    def log_text(self):
        return super().log_text() + "".join(open(f"{self.base}/log/{name}", errors="replace").read() for name in ("paniclog", "mainlog") if os.path.exists(f"{self.base}/log/{name}"))

    def connections(self):
        return self.log_text().count(" SMTP connection from [127.0.0.1] (TCP/IP")
