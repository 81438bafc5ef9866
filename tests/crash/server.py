"""The real program: its folder, its configuration, its starts and its ends."""
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

DOMAIN = "example.test"
START_SECONDS = 60
PORTS = {"smtp": 25, "submissions": 465, "lmtp": 24, "imaps": 993, "pop3s": 995}


def free_base():
    """Ports are base plus the standard number; below the ephemeral range where that can be."""
    chance = random.Random()
    while True:
        base = chance.randrange(110, 310) * 100
        try:
            for offset in (*PORTS.values(), 80):
                socket.create_server(("127.0.0.1", base + offset)).close()
            return base
        except OSError:
            continue


class Server:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.home = os.path.join(folder, "home")
        self.data = os.path.join(self.home, "data")
        self.config = os.path.join(self.home, "godwit.toml")
        self.admin_socket = os.path.join(self.data, "admin.sock")
        self.base = free_base()
        self.generation = 0
        self.process = None
        self.start_times = []
        self.environment = {}
        self.logs = []
        os.makedirs(folder, exist_ok=True)
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ready.bind(os.path.join(folder, "ready"))

    def port(self, name):
        return self.base + PORTS[name]

    def godwit(self, *words, **more):
        return subprocess.run([self.program, *words], capture_output=True, text=True, timeout=300, **more)

    def make(self, routes, accounts):
        """First start: configuration, folder, accounts (their passwords are their names)."""
        made = self.godwit("init", "--hostname", f"mx.{DOMAIN}", "--domain", DOMAIN, "--dir", self.home)
        if made.returncode:
            raise RuntimeError(f"init: {made.stdout}{made.stderr}")
        self.routes = routes
        self.write_config()
        if accounts is None:
            return
        self.start()
        for name in accounts:
            added = self.godwit("account", "add", name, "--password", name, "--dir", self.home)
            if added.returncode:
                raise RuntimeError(f"account add: {added.stdout}{added.stderr}")
        self.stop()

    def write_config(self, per_site=10, with_http=False):
        lines = [f'hostname = "mx.{DOMAIN}"', f'default_domain = "{DOMAIN}"', f'data_folder = "{self.data}"', "threads = 2",
                 "[limits]", f"deliveries_per_site = {per_site}", "connections_per_address = 1000", "unknown_recipients_per_minute = 100000",
                 "[resolver]", "off = true", "[passwords]", 'argon2_memory = "8 MiB"', "argon2_passes = 1",
                 "[storage]", 'disk_low = "128 MiB"', 'disk_critical = "32 MiB"',
                 "[[certificate]]", f'certificate_file = "{self.home}/tls/cert.pem"', f'key_file = "{self.home}/tls/key.pem"']
        for name, offset in [*PORTS.items(), *([("http", 80)] if with_http else [])]:
            lines += ["[[listener]]", f'protocol = "{name}"', f'address = "127.0.0.1:{self.base + offset}"']
        for domain, route in self.routes.items():
            lines += ["[[route]]", f'domain = "{domain}"', *(f"{key} = {value!r}".replace("'", '"') for key, value in route.items())]
        with open(self.config + ".new", "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(self.config + ".new", self.config)

    def start(self, crash_at=""):
        """True when it serves; False when it ended itself at a crash point on the way."""
        self.generation += 1
        began = time.monotonic()
        environment = dict(os.environ, NOTIFY_SOCKET=os.path.join(self.folder, "ready"), **self.environment)
        environment.pop("GODWIT_CRASH_AT", None)
        if crash_at:
            environment["GODWIT_CRASH_AT"] = crash_at
        self.logs.append(os.path.join(self.folder, f"log.{self.generation}"))
        for old in self.logs[:-8]:
            with contextlib.suppress(OSError):
                os.unlink(old)
        del self.logs[:-8]
        self.ready.settimeout(0.02)
        with contextlib.suppress(OSError):
            while True:
                self.ready.recv(4096)
        with open(self.logs[-1], "wb") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        while True:
            with contextlib.suppress(TimeoutError, BlockingIOError):
                if b"READY=1" in self.ready.recv(4096):
                    self.start_times.append(time.monotonic() - began)
                    return True
            if self.process.poll() is not None:
                if self.fired():
                    return False
                if "Address already in use" in self.log_tail():
                    # Somebody else took the port while we were down.
                    self.base = free_base()
                    self.write_config()
                    return self.start(crash_at)
                raise RuntimeError(f"did not start: exit {self.process.returncode}\n{self.log_tail()}")
            if time.monotonic() - began > START_SECONDS:
                raise RuntimeError(f"not ready in {START_SECONDS} s\n{self.log_tail()}")

    def is_dead(self):
        return self.process is None or self.process.poll() is not None

    def fired(self):
        """The crash point at which it ended itself."""
        if not self.is_dead() or self.process.returncode != -signal.SIGKILL:
            return None
        with open(self.logs[-1], "rb") as log:
            found = re.search(rb"^crash_at: (\S+)$", log.read(), re.M)
        return found.group(1).decode() if found else None

    def logged(self, event):
        """The first line of its last life that speaks of it."""
        with open(self.logs[-1], "rb") as log:
            return next((line.decode("utf-8", "replace") for line in log if event in line), None)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """Its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def log_tail(self):
        out = ""
        for name in self.logs[-2:]:
            with contextlib.suppress(OSError), open(name, errors="replace") as log:
                out += f"--- {os.path.basename(name)}\n" + log.read()[-2500:]
        return out

    def fsck(self, *options):
        """Nothing, or what it found; the server must be down."""
        done = self.godwit("fsck", *options, "--dir", self.home)
        return "" if done.returncode == 0 else f"exit {done.returncode}: {(done.stdout + done.stderr)[-1500:]}"

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
