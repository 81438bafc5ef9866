"""The Debian package: made, installed over a copy-on-write view of this machine, run as its unit says, removed, purged."""
import configparser
import contextlib
import glob
import imaplib
import json
import os
import poplib
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time

from harness import READY_SECONDS, ROOT, Skip, case, expect, expect_equal, message, need, run, token

CERTIFICATE = "/var/lib/godwit/tls/certificate.pem"


def unit(name):
    """The sections of an installed unit; a key that stands several times has all its values, in lines."""
    class Many(dict):
        def __setitem__(self, key, value):
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)
    parser = configparser.RawConfigParser(dict_type=Many, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read(f"/usr/lib/systemd/system/{name}")
    return parser


class Service:
    """What systemd does with godwit.socket and godwit.service, less the sandbox."""

    def __init__(self):
        service, sockets = unit("godwit.service")["Service"], unit("godwit.socket")["Socket"]
        self.command, self.user, self.type = service["ExecStart"].split(), service["User"], service["Type"]
        self.sockets = []
        for port in sockets["ListenStream"].split():
            s = socket.socket(socket.AF_INET6)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind(("::", int(port)))
            s.listen(64)
            self.sockets.append(s)

    def start(self):
        path = "/run/godwit-notify"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        os.chmod(path, 0o666)
        notify.settimeout(READY_SECONDS)
        high = [100 + i for i in range(len(self.sockets))]
        for s, h in zip(self.sockets, high):
            os.dup2(s.fileno(), h, inheritable=True)
        moves = "".join(f"exec {3 + i}<&{h}; exec {h}<&-; " for i, h in enumerate(high))
        self.log = open("/run/godwit-log", "ab")
        self.process = subprocess.Popen(["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--bounding-set=-all", "--no-new-privs", "bash", "-c",
                                         f'umask 077; {moves} export LISTEN_PID=$$ LISTEN_FDS={len(high)}; exec "$@"', "_", *self.command], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env={"NOTIFY_SOCKET": path, "PATH": "/usr/bin:/bin"}, pass_fds=high, cwd="/")
        for h in high:
            os.close(h)
        try:
            expect_equal(notify.recv(4096), b"READY=1", "Type=notify")
        except TimeoutError:
            expect(False, "the service is not ready", self.process.poll(), open("/run/godwit-log").read()[-2000:])
        return self

    def stop(self):
        self.process.terminate()
        expect_equal(self.process.wait(30), 0, "exit code of the service")


def modes():
    """What the installation must leave: owner, group, mode."""
    import grp
    import pwd
    for path, wanted in {"/etc/godwit": ("root", "godwit", 0o750), "/etc/godwit/godwit.toml": ("root", "godwit", 0o640), "/var/lib/godwit": ("godwit", "godwit", 0o711),
                         "/var/lib/godwit/tls/key.pem": ("godwit", "godwit", 0o600)}.items():
        facts = os.stat(path)
        expect_equal((pwd.getpwuid(facts.st_uid).pw_name, grp.getgrgid(facts.st_gid).gr_name, facts.st_mode & 0o777), wanted, path)


def all_belong_to_the_service():
    import pwd
    wanted = pwd.getpwnam("godwit").pw_uid
    for folder, _, names in os.walk("/var/lib/godwit"):
        for name in names:
            path = os.path.join(folder, name)
            expect_equal(os.lstat(path).st_uid, wanted, f"owner of {path}")


def read_with_both(address, password, word):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.check_hostname = False
    client = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context, timeout=30)
    with contextlib.closing(client.socket()):
        client.login(address, password)
        client.select("INBOX", readonly=True)
        expect(client.search(None, "SUBJECT", word)[1][0].split(), f"{word} over IMAPS")
    pop = poplib.POP3_SSL("127.0.0.1", 995, context=context, timeout=30)
    pop.user(address)
    pop.pass_(password)
    expect(any(word.encode() in b"\n".join(pop.top(n + 1, 0)[1]) for n in range(pop.stat()[0])), f"{word} over POP3S")
    pop.quit()


def mail_flows(password):
    word = token()
    with smtplib.SMTP("127.0.0.1", 25, timeout=20) as client:
        context = ssl.create_default_context(cafile=CERTIFICATE)
        context.check_hostname = False
        client.starttls(context=context)
        client.sendmail("someone@elsewhere.test", ["anna@example.org"], message(word, sender="someone@elsewhere.test", to="anna@example.org"))
    read_with_both("anna@example.org", password, word)
    # A user of this machine, by the name that every program knows.
    word = token()
    run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/sbin/sendmail", "-i", "anna@example.org"], text=f"Subject: {word}\n\nx\n", cwd="/")
    read_with_both("anna@example.org", password, word)
    return word


def inside(package):
    """With root's eyes on an overlay of /, in network and mount namespaces of its own."""
    run(["ip", "link", "set", "lo", "up"])
    run(["bash", "-c", "getent passwd godwit && deluser --quiet godwit; rm -rf /etc/godwit /var/lib/godwit; for p in $(dpkg-query -W -f '${Package} ${Provides}\\n' | grep mail-transport-agent | cut -d' ' -f1); do dpkg -r --force-depends $p; done; true"], seconds=60)
    install = ["dpkg", "-i", "--force-depends", package]
    out = run(install, seconds=60)[1]
    expect("domain add" in out and "account add" in out, "the installation says how to go on", out)
    modes()
    run(["setpriv", "--reuid=godwit", "--regid=godwit", "--clear-groups", "godwit", "config", "check"], cwd="/")
    for link in ("multi-user.target.wants/godwit.service", "sockets.target.wants/godwit.socket"):
        expect(os.path.islink(f"/etc/systemd/system/{link}"), f"{link}: starts with the machine")

    service = Service()
    expect_equal((service.type, service.user), ("notify", "godwit"), "the unit")
    service.start()
    status = open(f"/proc/{service.process.pid}/status").read()
    expect(re.search(r"^Cap(Eff|Prm|Bnd):\s+0+$", status, re.M), "no capability", status)
    run(["godwit", "domain", "add", "example.org"], cwd="/")
    password = json.loads(run(["godwit", "account", "add", "anna@example.org", "--generate", "--json"], cwd="/")[1])["password"]
    word = mail_flows(password)
    service.stop()

    # Root's commands on the stopped server leave nothing that the service could not open.
    run(["godwit", "account", "add", "ben@example.org", "--password", "bens secret"], cwd="/")
    expect("good" in run(["godwit", "fsck"], cwd="/")[1], "fsck")
    all_belong_to_the_service()
    code, out = run(service.command, check=False, cwd="/")
    expect(code == 1 and "belongs to the user godwit" in out, "root starts no server on it", code, out)
    code, out = run(["godwit", "dev", "--dir", "/var/lib/godwit", "--base-port", "45000"], check=False, cwd="/")
    expect(code == 1 and "belongs to the user godwit" in out, "nor one for development", code, out)

    # An upgrade keeps what the administrator changed.
    with open("/etc/godwit/godwit.toml", "a") as f:
        f.write("# mine\n")
    before = open(CERTIFICATE).read()
    run(install, seconds=60)
    expect(open("/etc/godwit/godwit.toml").read().endswith("# mine\n") and open(CERTIFICATE).read() == before, "configuration and certificate after an upgrade")
    service.start()
    read_with_both("anna@example.org", password, word)
    mail_flows(password)
    service.stop()

    # Removed: the program is gone, configuration and mail stay. Purged: the mail stays.
    run(["dpkg", "-r", "godwit"])
    expect(not os.path.exists("/usr/bin/godwit") and not os.path.lexists("/usr/sbin/sendmail"), "the program is gone")
    expect(os.path.exists("/etc/godwit/godwit.toml") and os.path.exists(CERTIFICATE), "configuration and data stay")
    run(install, seconds=60)
    service.start()
    read_with_both("anna@example.org", password, word)
    service.stop()
    out = run(["dpkg", "-P", "godwit"])[1]
    expect("/var/lib/godwit" in out and not os.path.exists("/etc/godwit"), "purge takes the configuration and says where the mail is", out)
    expect(glob.glob("/var/lib/godwit/*") and not glob.glob("/etc/systemd/system/*/godwit.*"), "the mail stays, the links do not")


@case(seconds=240)
def installs_runs_and_goes(world):
    """Nothing of this machine changes: the root folder is the lower layer of an overlay in memory."""
    need("dpkg-deb", "dpkg-shlibdeps", "strip", "ip", "unshare", "adduser", "deb-systemd-helper")
    folder = os.path.join(world.folder, "package")
    os.mkdir(folder)
    overlay = 'mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root" && mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"'
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "bash", "-c", overlay, "_", folder], capture_output=True).returncode != 0:
        raise Skip("needs root and overlay mounts")
    out = os.path.join(world.folder, "deb")
    os.mkdir(out)
    run([os.path.join(ROOT, "deploy", "make_deb"), world.program, out], seconds=120, env={"GODWIT_DEB_COMPRESS": "gzip"})
    package, = glob.glob(os.path.join(out, "*.deb"))
    os.mkdir(os.path.join(out, "interop"))
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in ("harness.py", "cases"):
        source = os.path.join(here, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(out, "interop", name))
    script = "import sys; sys.path.insert(0, '/run/deb/interop'); from cases import package; package.inside(sys.argv[1])"
    enter = overlay + ' && cd "$1/root" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run && mkdir run/deb && cp -r "$2"/. run/deb/ && shift 2 && exec chroot . "$@"'
    run(["unshare", "-m", "-n", "-p", "-f", "--kill-child", "bash", "-c", enter, "_", folder, out, sys.executable, "-B", "-c", script, f"/run/deb/{os.path.basename(package)}"], seconds=200,
        env={"DEBIAN_FRONTEND": "noninteractive"})


@case
def unit_is_sound_and_tight(world):
    """The score of the sandbox, and what systemd thinks of the units."""
    need("systemd-analyze")
    folder = os.path.join(world.folder, "units")
    os.mkdir(folder)
    for name in ("godwit.service", "godwit.socket"):
        text = open(os.path.join(ROOT, "deploy", name)).read()
        with open(os.path.join(folder, name), "w") as f:
            f.write(text.replace("/usr/bin/godwit", world.program))
    out = run(["systemd-analyze", "security", "--offline=true", "--no-pager", os.path.join(folder, "godwit.service")], check=False)[1]
    score = float(re.search(r"exposure level.*?:\s*([\d.]+)", out).group(1))
    expect(score <= 1.5, "exposure", score)
    out = run(["systemd-analyze", "verify", "./godwit.service", "./godwit.socket"], cwd=folder, check=False)[1]
    expect("godwit" not in out, "systemd-analyze verify", out)
