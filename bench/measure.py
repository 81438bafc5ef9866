"""What every bench stands on: CPU and memory of a whole server, the servers themselves, medians, tables, history."""
import contextlib
import json
import os
import platform
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "interop"))
sys.dont_write_bytecode = True
from peers.dovecot import Dovecot  # noqa: E402
from peers.exim import Exim  # noqa: E402, F401
from peers.opensmtpd import Opensmtpd  # noqa: E402, F401
from peers.postfix import Postfix, self_signed  # noqa: E402, F401

TICKS = os.sysconf("SC_CLK_TCK")
DISCARD, LOCAL, HELD = "discard.test", "example.test", "held.test"
MIB = 1024 * 1024


class Group:
    """CPU and memory of a server with all its processes, living and dead.

    A control group where one can be made (v1 or v2, as root); else sums over the process tree in /proc, where the
    processor time of ended children counts once their parent has waited for them.
    """

    def __init__(self, name):
        self.name, self.root_pid = name, None
        self.version = 0
        with contextlib.suppress(OSError):
            if os.path.isdir("/sys/fs/cgroup/cpuacct"):
                self.folders = [f"/sys/fs/cgroup/{c}/{name}" for c in ("cpuacct", "memory")]
                version = 1
            else:
                self.folders = [f"/sys/fs/cgroup/{name}"]
                version = 2
            for folder in self.folders:
                os.makedirs(folder, exist_ok=True)
                open(folder + "/cgroup.procs", "a").close()
            self.version = version

    def wrap(self):
        """Words to put before a command, so that it and all its children are counted."""
        if not self.version:
            return []
        return ["sh", "-c", "".join(f"echo $$ > {f}/cgroup.procs; " for f in self.folders) + 'exec "$@"', "sh"]

    def cpu(self):
        """Seconds of processor time so far, user and system."""
        if self.version == 1:
            return int(open(self.folders[0] + "/cpuacct.usage").read()) / 1e9
        if self.version == 2:
            return int(dict(l.split() for l in open(self.folders[0] + "/cpu.stat"))["usage_usec"]) / 1e6
        return sum(self._ticks(p) for p in self.pids()) / TICKS

    @staticmethod
    def _ticks(pid):
        with contextlib.suppress(OSError, IndexError):
            return sum(int(x) for x in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:15])
        return 0

    def pids(self):
        if self.version:
            with contextlib.suppress(OSError):
                return [int(x) for x in open(self.folders[0] + "/cgroup.procs").read().split()]
            return []
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    children.setdefault(int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
        found, todo = [], [self.root_pid] if self.root_pid else []
        while todo:
            found.append(todo.pop())
            todo += children.get(found[-1], [])
        return found

    def memory(self):
        """Bytes of heap and stacks now, without the page cache."""
        if self.version == 1:
            for line in open(self.folders[1] + "/memory.stat"):
                if line.startswith("total_rss "):
                    return int(line.split()[1])
        if self.version == 2 and os.path.exists(self.folders[0] + "/memory.stat"):
            for line in open(self.folders[0] + "/memory.stat"):
                if line.startswith("anon "):
                    return int(line.split()[1])
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in open(f"/proc/{pid}/status"):
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1]) * 1024
        return total

    def how(self):
        return {0: "sums over /proc", 1: "control group v1", 2: "control group v2"}[self.version]


class Meter:
    """with Meter(groups) as m: ... -> m.wall, m.cpu, m.peak_mib of the servers meanwhile."""

    def __init__(self, *groups):
        self.groups = groups

    def _sample(self):
        while not self.done.wait(0.05):
            self.peak = max(self.peak, sum(g.memory() for g in self.groups))

    def __enter__(self):
        self.done, self.peak = threading.Event(), sum(g.memory() for g in self.groups)
        self.start_cpu, self.start = sum(g.cpu() for g in self.groups), time.monotonic()
        self.thread = threading.Thread(target=self._sample, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.wall = time.monotonic() - self.start
        self.cpu = sum(g.cpu() for g in self.groups) - self.start_cpu
        self.done.set()
        self.thread.join()
        self.peak_mib = max(self.peak, sum(g.memory() for g in self.groups)) / MIB


def settle(*groups, seconds=20):
    """Waits until the servers rest (under 3 % of a core), so that one run does not pay for the one before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = sum(g.cpu() for g in groups)
        time.sleep(0.3)
        if sum(g.cpu() for g in groups) - before < 0.01:
            return


class Godwit:
    def __init__(self, program, folder, accounts=(), routes=(f"{DISCARD}=discard",)):
        self.program, self.folder, self.accounts, self.routes = program, folder, accounts, routes
        self.group = Group(f"godwit-bench-{os.getpid()}")
        self.base = random.Random(os.getpid()).randrange(510, 600) * 100
        self.process = None

    def port(self, standard):
        return self.base + standard

    def start(self):
        command = [*self.group.wrap(), self.program, "dev", "--dir", self.folder, "--base-port", str(self.base), "--domain", LOCAL]
        for name, secret in self.accounts:
            command += ["--account", f"{name}:{secret}"]
        for route in self.routes:
            command += ["--route", route]
        log = open(self.folder + ".log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.group.root_pid = self.process.pid
        ready = threading.Event()

        def read(stream):
            for line in stream:
                if b"ready" in line:
                    ready.set()
        threading.Thread(target=read, args=(self.process.stdout,), daemon=True).start()
        while not ready.wait(0.01):
            if self.process.poll() is not None or time.monotonic() - began > 120:
                raise SystemExit("godwit dev did not get ready:\n" + open(self.folder + ".log", errors="replace").read()[-2000:])
        self.start_seconds = time.monotonic() - began
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


@contextlib.contextmanager
def workplace(folder=None):
    """A folder on a real disk (not a memory file system, where a sync costs nothing), gone afterwards."""
    path = tempfile.mkdtemp(prefix="godwit-bench-", dir=folder or os.environ.get("GODWIT_BENCH_DIR") or "/var/tmp")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def root_needed():
    if os.geteuid() != 0:
        raise SystemExit("bench: the peers need root (they change users, and the control groups are root's)")


def smtp_source(port, sessions, messages, size, sender, recipient, lmtp=False):
    """Postfix's own load generator with kept connections (-d). Returns the process."""
    return subprocess.Popen(["smtp-source", *(["-L"] if lmtp else []), "-d", "-s", str(sessions), "-m", str(messages), "-l", str(size), "-M", "client.test", "-f", sender, "-t", recipient, f"127.0.0.1:{port}"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def join(process, seconds=300):
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise SystemExit(f"bench: the load generator took more than {seconds} s")
    if process.returncode:
        raise SystemExit(f"bench: smtp-source ended with {process.returncode}: {err.decode('utf-8', 'replace')[-500:]}")


def disk_sync_ms(folder, count=200):
    """Median milliseconds of a 4 KiB append and fdatasync here: what every durable answer costs at least."""
    times = []
    with open(os.path.join(folder, "sync"), "wb", buffering=0) as f:
        for _ in range(count):
            began = time.perf_counter()
            f.write(b"x" * 4096)
            os.fdatasync(f.fileno())
            times.append((time.perf_counter() - began) * 1000)
    os.unlink(f.name)
    return statistics.median(times)


def machine(folder):
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / MIB
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}, 4 KiB fdatasync {disk_sync_ms(folder):.2f} ms"


def version(command):
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip().split("\n")[0]
    return "?"


def commit():
    return version(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"])


class Results:
    """Collects runs, prints a Markdown table, appends JSON lines under bench/history/."""

    def __init__(self, name, folder, group):
        self.name, self.rows = name, []
        self.header = f"{machine(folder)}; processor time by {group.how()}"
        self.at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(f"bench {name} at {self.at}, commit {commit()}\n{self.header}\n", flush=True)

    def add(self, server, case, **values):
        self.rows.append(dict(server=server, case=case, **values))
        print("  " + f"{server:12} {case:28} " + "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()), flush=True)

    def median(self, server, case, key):
        values = [r[key] for r in self.rows if r["server"] == server and r["case"] == case and key in r]
        return statistics.median(values) if values else None

    def table(self, ours, peer, columns):
        """columns: (key, title, 'more' or 'less' is better). The ratio column says how many times better we are."""
        runs = max(sum(1 for r in self.rows if r["case"] == c and r["server"] == ours) for c in {r["case"] for r in self.rows})
        print(f"\nMedians of {runs} runs, interleaved. {self.header}. Ratio: ours over {peer}'s for rates, {peer}'s over ours for costs, so more is better.\n")
        print("| case |" + "".join(f" {peer} {t} | godwit {t} | ratio |" for _, t, _ in columns))
        print("|---|" + "---:|---:|---:|" * len(columns))
        for case in dict.fromkeys(r["case"] for r in self.rows):
            cells = []
            for key, _, better in columns:
                a, b = self.median(peer, case, key), self.median(ours, case, key)
                if a is None or b is None:
                    cells += [f"{a:.4g}" if a is not None else "-", f"{b:.4g}" if b is not None else "-", "-"]
                    continue
                ratio = (b / a if better == "more" else a / b) if a and b else 0
                cells += [f"{a:.4g}", f"{b:.4g}", f"{ratio:.2f}"]
            print(f"| {case} | " + " | ".join(cells) + " |")
        print()

    def spread(self, key, title):
        """Each server's least and most of a value, case by case: what the medians hide."""
        print(f"Spread, {title}:")
        for server, case in dict.fromkeys((r["server"], r["case"]) for r in self.rows):
            values = [r[key] for r in self.rows if r["server"] == server and r["case"] == case and key in r]
            print(f"- {server}, {case}: {min(values):.4g} to {max(values):.4g} ({len(values)} runs)")
        print()

    def save(self, **more):
        history = os.path.join(ROOT, "bench", "history")
        os.makedirs(history, exist_ok=True)
        with open(os.path.join(history, self.name + ".jsonl"), "a") as f:
            for row in self.rows:
                f.write(json.dumps(dict(at=self.at, commit=commit(), bench=self.name, machine=self.header, **more, **row)) + "\n")
        print(f"appended {len(self.rows)} lines to bench/history/{self.name}.jsonl")
