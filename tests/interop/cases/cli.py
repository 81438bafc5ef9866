"""The command line: send, sendmail, queue, message show, accounts."""
import json
import os
import re
import shlex
import shutil
import signal
import smtplib
import subprocess
import time
import urllib.request

from cases import moving
from harness import ROOT, DISCARD, DOMAIN, HELD, case, expect, expect_equal, message, run, token


def submit(world, recipients, data):
    """Hands in as alice; gives back the id that the 250 names."""
    client = smtplib.SMTP("localhost", world.port("submission"), timeout=20)
    client.starttls(context=world.tls())
    with client:
        client.login("alice", "alice")
        client.ehlo_or_helo_if_needed()
        client.mail(f"alice@{DOMAIN}")
        for recipient in recipients:
            code, text = client.rcpt(recipient)
            expect(code == 250, recipient, text)
        code, text = client.data(data)
    expect(code == 250, "DATA", text)
    found = re.search(rb"(?:queued|delivered) as (\S+)", text)
    expect(found, "the 250 names the id", text)
    return found.group(1).decode()


def held(world, recipient):
    return [e for e in world.queue() if recipient in json.dumps(e)]


def identifier(entry):
    return str(entry.get("id") or entry.get("queue_id"))


@case
def send(world):
    word = token()
    path = os.path.join(world.folder, "attached.bin")
    with open(path, "wb") as f:
        f.write(bytes(range(256)))
    run([world.program, "send", "--server", f"127.0.0.1:{world.port('submission')}", "--user", "alice", "--password", "alice", "--ca", world.ca, "--from", world.address("alice"),
         "--to", world.address("bob"), "--subject", f"Grüße {word}", "--attach", path], text="Ein Text.\n")
    end = time.monotonic() + 15
    while True:
        with world.imap("bob") as client:
            numbers = client.search("UTF-8", "SUBJECT", word)[1][0].split()
            if numbers:
                import email
                parts = [p.get_payload(decode=True) for p in email.message_from_bytes(client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]).walk() if not p.is_multipart()]
                expect(bytes(range(256)) in parts, "the attachment", [len(p) for p in parts])
                return
        expect(time.monotonic() < end, "the message did not arrive")
        time.sleep(0.2)


@case
def sendmail(world):
    word = token()
    world.godwit("sendmail", "-t", "-i", "-f", world.address("alice"), text=f"From: alice@{DOMAIN}\nTo: bob@{DOMAIN}\nBcc: carol@{DOMAIN}\nSubject: {word}\n\nline\n.\nafter the dot\n")
    for name in ("bob", "carol"):
        found = world.wait_mail(name, word)[0]
        expect(b"after the dot" in found and b"\r\n.\r\n" in found, "-i keeps lone dots", found)
        expect(b"bcc:" not in found.lower(), "Bcc is gone", found)


@case
def queue_hold_show_release_delete(world):
    word = token()
    recipient = f"{word}@{HELD}"
    name = submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))
    entries = held(world, recipient)
    expect_equal(len(entries), 1, "entries in the queue")
    shown = json.loads(world.godwit("queue", "show", identifier(entries[0]), "--json")[1])
    expect(recipient in json.dumps(shown), "queue show", shown)
    world.godwit("queue", "hold", identifier(entries[0]))
    world.godwit("queue", "release", identifier(entries[0]))
    world.godwit("queue", "retry", identifier(entries[0]))
    expect(recipient in world.godwit("queue", "list")[1], "queue list for people")
    expect_equal(world.godwit("queue", "list", "--site", f"{word}.test")[1], "There are none like that.\n", "a site without mail, while others have some")
    story = world.godwit("message", "show", name)[1]
    expect(recipient in story, "message show tells what happened", story)
    world.godwit("queue", "delete", identifier(entries[0]))
    expect_equal(held(world, recipient), [], "after queue delete")
    expect_equal(world.godwit("queue", "show", "no-such-id", check=False)[0], 1, "exit code when not found")


@case
def queue_flags_choose(world):
    """--domain, --sender, --age and --state choose what list shows and delete drops; delete --report tells the sender."""
    word = token()
    keep, drop = f"{word}-keep@{HELD}", f"{word}-drop@{HELD}"
    for recipient in (keep, drop):
        submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))

    def chosen(*flags):
        text = world.godwit("queue", "list", *flags, "--json")[1]
        return [recipient for recipient in (keep, drop) if recipient in text]

    both = [keep, drop]
    time.sleep(1.1)  # --age is of whole seconds, and at least one.
    for flag, right, wrong in (("--domain", HELD, f"{word}.test"), ("--sender", f"alice@{DOMAIN}", f"bob@{DOMAIN}"), ("--sender", f"@{DOMAIN}", "<>"),
                               ("--age", "1s", "2h"), ("--state", "held", "sending")):
        expect_equal(chosen(flag, right), both, f"queue list {flag} {right}")
        expect_equal(chosen(flag, wrong), [], f"queue list {flag} {wrong}")
    expect_equal(chosen("--domain", HELD, "--state", "sending"), [], "all that is said must hold")
    expect_equal(world.godwit("queue", "list", "--state", "lost", check=False)[0], 1, "exit code of a state that there is not")
    world.godwit("queue", "delete", "--domain", HELD, "--age", "2h")
    expect_equal(chosen(), both, "after a delete that chose none")
    entry = identifier(held(world, drop)[0])
    world.godwit("queue", "delete", entry, "--report")
    expect_equal(chosen(), [keep], "after queue delete --report")
    end = time.monotonic() + 20
    while True:
        with world.imap("alice") as client:
            numbers = client.search(None, "BODY", drop)[1][0].split()
            if numbers:
                report = client.fetch(numbers[-1], "(BODY.PEEK[])")[1][0][1].lower()
                break
        expect(time.monotonic() < end, "no report came")
        time.sleep(0.2)
    expect(b"status: 5.7.1" in report and b"return-path: <>" in report, "a failure report", report[:2000])
    world.godwit("queue", "delete", identifier(held(world, keep)[0]))
    with world.imap("alice") as client:
        expect_equal(client.search(None, "BODY", keep)[1][0].split(), [], "a delete without --report tells nobody")


@case
def queue_suspend_flags(world):
    """suspend takes one of --site, --sender and --all, for a time or until one; resume ends it."""
    word = token()
    listed = lambda: [row for row in json.loads(world.godwit("queue", "suspensions", "--json")[1]) if word in json.dumps(row)]  # noqa: E731
    for flags in (["--site", f"{word}.test"], ["--sender", f"{word}@{DOMAIN}"], ["--sender", f"@{word}.test"]):
        for until in ([], ["--for", "4h"], ["--until", "2199-01-31T10:00Z"]):
            world.godwit("queue", "suspend", *flags, *until, "--reason", f"why {word}")
            rows = listed()
            expect_equal(len(rows), 1, f"suspensions after {flags} {until}")
            expect(f"why {word}" in json.dumps(rows) and flags[1] in json.dumps(rows), "the row", rows)
            expect(("2199-01-31T10:00" in json.dumps(rows)) == (until[:1] == ["--until"]), "its end", rows)
            world.godwit("queue", "resume", *flags)
            expect_equal(listed(), [], "after resume")
    expect(world.godwit("queue", "suspend", "--reason", word, check=False)[0] != 0, "suspending nothing in particular")
    expect(world.godwit("queue", "suspend", "--site", "a.test", "--for", "soon", check=False)[0] != 0, "a time that is none")
    expect_equal(listed(), [], "after what was refused")


@case
def queue_list_pages_and_summary(world):
    word = token()
    recipients = [f"{word}{i}@{HELD}" for i in range(5)]
    for recipient in recipients:
        submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))
    ours = [identifier(e) for r in recipients for e in held(world, r)]
    listed, after = [], None
    while True:
        page = json.loads(world.godwit("queue", "list", "--json", "--limit", "2", *(["--after", after] if after else []))[1])
        expect(len(page["rows"]) <= 2, "a page of two", page)
        listed += [identifier(e) for e in page["rows"]]
        after = page.get("next")
        if after is None:
            break
        expect_equal(after, listed[-1], "the next page begins behind the last row")
    expect_equal([i for i in listed if i in ours], ours, "all pages together")
    text = world.godwit("queue", "list", "--limit", "1")[1]
    expect(re.match(r"There is more: --after \w+$", text.splitlines()[-1]), "what people are told", text)
    expect_equal(world.godwit("queue", "list", "--limit", "many", check=False)[0], 1, "exit code of a wrong limit")
    site = next(s for s in json.loads(world.godwit("queue", "summary", "--json")[1]) if s["site"] == HELD)
    expect(site["deliveries"] >= 5 and site["under_5m"] >= 5, "queue summary", site)
    expect("TOTAL" in world.godwit("queue", "summary")[1], "queue summary for people")
    for i in ours:
        world.godwit("queue", "delete", i)


@case
def discard_accepts_and_drops(world):
    word = token()
    name = submit(world, [f"{word}@{DISCARD}"], message(word, sender=world.address("alice")))
    end = time.monotonic() + 10
    while held(world, f"{word}@{DISCARD}"):
        expect(time.monotonic() < end, "still queued", world.queue())
        time.sleep(0.1)
    expect(f"{word}@{DISCARD}" in world.godwit("message", "show", name)[1], "message show remembers it")


@case
def accounts_domains_aliases(world):
    word = token()
    domain = f"{word}.test"
    world.godwit("domain", "add", domain)
    expect(domain in world.godwit("domain", "list")[1], "domain list")
    expect(domain in json.dumps(json.loads(world.godwit("domain", "list", "--json")[1])), "domain list --json")
    world.godwit("account", "add", f"new@{domain}", "--password", "first")
    world.godwit("alias", "add", f"both@{domain}", f"new@{domain}", world.address("bob"))
    expect(f"new@{domain}" in world.godwit("account", "list")[1], "account list")
    expect(f"both@{domain}" in world.godwit("alias", "list")[1], "alias list")
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        client.sendmail(f"x@{DOMAIN}", [f"both@{domain}"], message(word))
    world.wait_mail("bob", word)
    import imaplib

    def login(secret):
        imaplib.IMAP4("127.0.0.1", world.port("imap"), timeout=20).login(f"new@{domain}", secret)
    login("first")
    world.godwit("account", "passwd", f"new@{domain}", "--password", "second")
    login("second")
    try:
        login("first")
        expect(False, "the old password still works")
    except imaplib.IMAP4.error:
        pass
    world.godwit("alias", "remove", f"both@{domain}")
    world.godwit("account", "remove", f"new@{domain}")
    world.godwit("domain", "remove", domain)
    expect(domain not in world.godwit("domain", "list")[1], "domain is gone")


@case
def usage_errors(world):
    expect_equal(run([world.program, "frobnicate"], check=False)[0], 2, "exit code of an unknown command")
    expect_equal(run([world.program, "queue", "list", "--nonsense"], check=False)[0], 2, "exit code of an unknown option")
    expect("queue" in run([world.program, "--help"])[1], "--help")
    expect(re.search(r"\d+\.\d+", run([world.program, "--version"])[1]), "--version")
    empty = os.path.join(world.folder, "nobody-home")
    code, out = run([world.program, "sendmail", "-t", "--dir", empty], text="To: x@y.test\n\nhi\n", check=False)
    expect_equal(code, 75, f"sendmail without a server: {out}")


@case
def config_check_names_the_line(world):
    path = os.path.join(world.folder, "godwit.toml")
    run([world.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", os.path.join(world.folder, "made")])
    with open(path, "w") as f:
        f.write('hostname = "mx.example.org"\n\nhostnam = "typo"\n')
    code, out = run([world.program, "config", "check", "--config", path], check=False)
    expect(code != 0 and "3" in out and "hostname" in out, "the line and the nearest key", code, out)


def documented_fields():
    """{command: (field names, those of them that are not always there)} of the table in docs/operating/cli.md; "`x` (when ...)" is there at times."""
    found = {}
    for line in open(os.path.join(ROOT, "docs", "operating", "cli.md")):
        row = re.match(r"\| (`[a-z].*?) \| (.*) \|$", line)
        if not row:
            continue
        fields = (set(re.findall(r"`([a-z][a-z0-9_]*)`", re.sub(r"\([^)]*\)", "", row.group(2)))), set(re.findall(r"`([a-z][a-z0-9_]*)` \(when ", row.group(2))))
        first = None
        for command in re.findall(r"`([a-z -]+)`", row.group(1)):
            # "`queue retry`, `hold`": the noun of the first.
            first = first or command
            found[command if " " in command or first == command else f"{first.split()[0]} {command}"] = fields
    return found


def keys_of(value):
    if isinstance(value, dict):
        return set(value).union(*[keys_of(v) for k, v in value.items() if k not in ("metrics", "detail")], set())
    if isinstance(value, list):
        return set().union(*[keys_of(v) for v in value], set())
    return set()


@case
def json_is_as_documented(world):
    """Each command with --json prints one line of JSON with the fields that docs/operating/cli.md names, no more and no less."""
    word = token()
    domain, account = f"{word}.test", f"doc@{word}.test"
    recipient = f"{word}@{HELD}"
    shown = {}

    def take(*words, extra=(), key=None, codes=(0,)):
        code, out = world.godwit(*words, "--json", codes=codes)
        expect(out.count("\n") == 1 and out.endswith("\n"), f"{words}: one line", out)
        shown[key or " ".join(words[:2])] = value = json.loads(out)
        return value

    take("domain", "add", domain)
    take("domain", "change", domain, "--subaddress-delimiter", "+-")
    take("domain", "list")
    take("account", "add", account, "--generate")
    take("account", "change", account, "--quota", "1 GiB", "--quota-messages", "100000")
    take("account", "forward", account, "--to", recipient, "--keep")
    take("account", "allow-sender", account, f"office@{domain}")
    take("account", "deny-sender", account, f"office@{domain}")
    take("srs", "rotate")
    take("account", "list")
    take("account", "passwd", account, "--generate")
    take("account", "app-password", "add", account, "phone", key="account app-password add")
    take("account", "app-password", "list", account, key="account app-password list")
    take("account", "app-password", "remove", account, "phone", key="account app-password remove")
    take("alias", "add", f"other@{domain}", account)
    take("alias", "change", f"other@{domain}", account, "--owner", account)
    take("alias", "list")
    take("acl", "set", account, "INBOX", "anyone", "lr")
    take("acl", "list", account)
    take("acl", "remove", account, "INBOX", "anyone")
    take("index", "list")
    take("reindex", account, key="reindex")
    name = submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))
    waiting = take("queue", "list")
    take("queue", "summary")
    take("test-route", recipient, key="test-route")
    take("site", "list")
    take("site", "show", HELD)
    identity = next(str(e["id"]) for e in waiting if recipient in e["recipients"])
    take("queue", "show", identity)
    take("queue", "why", identity)
    for verb in ("hold", "release", "retry", "reroute", "delete"):
        take("queue", verb, identity, *(["--to", HELD] if verb == "reroute" else []))
    take("queue", "expire", str(submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))))
    take("queue", "suspend", "--site", domain, "--reason", word)
    take("queue", "suspensions")
    take("queue", "resume", "--site", domain)
    take("message", "show", name)
    take("trace", name, key="trace")
    take("alias", "remove", f"other@{domain}")
    take("account", "remove", account)
    take("domain", "remove", domain)
    take("status", key="status")
    take("scrub", key="scrub")
    take("fsck", key="fsck")
    made = os.path.join(world.folder, "documented")
    run([world.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", made])
    config = os.path.join(made, "godwit.toml")
    shown["config effective"] = json.loads(run([world.program, "config", "effective", "--json", "--config", config])[1])
    with open(config, "a") as f:
        f.write("nonsense = 1\n")
    shown["config check"] = json.loads(run([world.program, "config", "check", "--json", "--config", config], codes=(1,))[1])
    shown["send"] = json.loads(run([world.program, "send", "--server", f"127.0.0.1:{world.port('submission')}", "--user", "alice", "--password", "alice", "--ca", world.ca, "--from", world.address("alice"),
                                    "--to", world.address("bob"), "--subject", word, "--body", "x", "--json"])[1])
    bob, backups = world.address("bob"), os.path.join(world.folder, "documented-backups")
    submit(world, [bob], message(word, sender=world.address("alice"), to=bob))
    first = take("backup", backups, key="backup")["generation"]
    take("backup", backups, key="backup")
    for words in (("backup", "verify"), ("restore", "--into")):
        place = [os.path.join(world.folder, "documented-restored")] if words[0] == "restore" else []
        command = [world.program, words[0], backups, words[1], *place] if place else [world.program, *words, backups]
        shown[" ".join(words)] = json.loads(run([*command, "--json"], seconds=60)[1])
    take("restore", backups, "--account", bob, key="restore --account")
    take_moves(world, take)
    with open(os.path.join(backups, f"{first}.manifest"), "r+b") as f:
        f.truncate(20)
    shown["backup list"] = json.loads(run([world.program, "backup", "list", backups, "--json"], codes=(0, 1))[1])
    documented = documented_fields()
    # Those of TLS reports are held to the page by tlsreport_by_https_and_mail: nothing is counted here.
    expect_equal(sorted(set(documented) - set(shown)), ["reload", "tls-report list", "tls-report show"], "documented commands that were not tried")
    for command, value in shown.items():
        names, at_times = documented.get(command, (set(), set()))
        expect_equal(sorted(keys_of(value) | at_times), sorted(names), f"fields of {command}")
        if command.endswith(" list"):
            expect(isinstance(value, list) and value, f"{command} is an array with something in it", value)


def take_moves(world, take):
    """Imports and exports in which something was left behind, so that all fields are there."""
    name = moving.account(world)
    root = os.path.join(world.folder, f"documented-{token()}")
    moving.lay(root, "1.empty:2,", b"", 1600000000)
    moving.lay(root, "2.good:2,", moving.text("good"), 1600000000)
    take("import", "maildir", name, root, codes=(1,))
    take("import", "mbox", name, os.path.join(root, "cur"), codes=(1,))
    moving.append(world, name, "INBOX", b"Subject: mixed\nX: y\r\n\r\nz\r\n")
    take("export", "maildir", name, f"{root}-maildir")
    take("export", "mbox", name, f"{root}-mbox")
    secret = f"{root}-secret"
    with open(secret, "w") as file:
        file.write(f"{name}-secret\n")
    take("import", "imap", name, f"localhost:{world.port('imap')}", "--no-tls", "--user", world.address(name), "--password-file", secret, "--uids", codes=(1,))


@case
def trace_tells_of_taken_and_refused_mail(world):
    """A message is found by its sender, its recipient, its Message-ID and its id; a refused recipient by either address; --follow tells of what comes meanwhile."""
    word = token()
    bob, alice = world.address("bob"), world.address("alice")
    text = message(word, sender=alice, to=bob)
    message_id = re.search(rb"Message-ID: <(.*?)>", text).group(1).decode()
    follower = subprocess.Popen([world.program, "trace", "--follow", "--json", "--dir", world.data], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(2)
        name = submit(world, [bob], text)
        line = json.loads(follower.stdout.readline())
        expect_equal((line["id"], line["event"]["kind"]), (name, "accepted"), "what --follow tells first")
    finally:
        follower.terminate()
        follower.wait(10)
    for what in (name, f"<{message_id}>", message_id.upper()):
        found = json.loads(world.godwit("trace", what, "--json")[1])
        expect_equal([one["id"] for one in found], [name], f"trace {what}")
    kinds = [event["kind"] for event in found[0]["events"]]
    expect(kinds[:2] == ["accepted", "delivered"], "its life", kinds)
    detail = found[0]["events"][0]["detail"]
    expect(detail["tls"].startswith("TLS") and detail["user"] == alice and detail["helo"], "session", detail)
    expect(name in world.godwit("trace", bob, "--since", "5m", "--limit", "500")[1], "by recipient", name)
    nobody = f"nobody-{word}@{DOMAIN}"
    with smtplib.SMTP("localhost", world.port("smtp"), timeout=20) as client:
        client.ehlo("stranger.test")
        client.mail(f"{word}@stranger.test")
        expect(client.rcpt(nobody)[0] == 550, "refused")
    for what in (nobody, f"{word}@stranger.test"):
        for _ in range(20):
            found = json.loads(world.godwit("trace", what, "--json")[1])
            if found:
                break
            time.sleep(0.2)
        event = found[0]["events"][0]
        expect(event["kind"] == "refused" and "550" in event["detail"]["reply"] and event["detail"]["to"] == [nobody], f"trace {what}", found)


@case
def logs_are_documented(world):
    """Each event that the source logs has its row in docs/operating/logs.md, with its level and all its fields; and there is no row too many."""
    logged = {}
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for name in (n for n in files if n.endswith(".cc") and not n.endswith("_test.cc")):
            text = open(os.path.join(folder, name)).read()
            for level, event, fields in re.findall(r'log::(info|warn|error|debug)\(\s*"([a-z0-9_.]+)"\s*,\s*\{(.*?)\}\s*\)\s*;', text, re.S):
                logged.setdefault(event, (level, set()))[1].update(re.findall(r'\{\s*"([a-z_0-9]+)"\s*,', fields))
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (\w+) \| (.*?) \| .+ \|$", open(os.path.join(ROOT, "docs", "operating", "logs.md")).read(), re.M)
    documented = {event: (level, set(re.findall(r"`(\w+)`", fields))) for event, level, fields in rows}
    # These four are chosen between as they are written.
    chosen = {"dsn.owed", "dsn.dropped", "queue.quarantined", "queue.suspected"}
    expect_equal(sorted(set(documented) - chosen), sorted(logged), "events in docs/operating/logs.md")
    for event, (level, fields) in logged.items():
        expect(documented[event][0] == level and fields <= documented[event][1], f"level and fields of {event}", documented[event])


@case
def each_line_of_the_log_is_one_object(world):
    """What a running server wrote: each line of the log one JSON object, its event and fields those of docs/operating/logs.md."""
    submit(world, [world.address("bob")], message(token(), sender=world.address("alice")))
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (\w+) \| (.*?) \| .+ \|$", open(os.path.join(ROOT, "docs", "operating", "logs.md")).read(), re.M)
    documented = {event: (level, set(re.findall(r"`(\w+)`", fields))) for event, level, fields in rows}
    lines = [line for line in open(world.log).read().splitlines(True) if line.endswith("\n") and line.startswith("{")]
    expect(len(lines) > 3, "lines in the log", world.log_tail())
    for line in lines:
        entry = json.loads(line)
        expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time")), "time", line)
        event, level = entry.pop("event"), entry.pop("level")
        expect(event in documented, "an event of the table", line)
        expect(level == documented[event][0] or event in ("queue.quarantined", "queue.suspected"), "its level", line)
        expect(set(entry) <= documented[event][1], "its fields", line)


@case
def metrics_are_what_the_page_says(world):
    """/metrics is read by Prometheus' own parser, in both formats, where python3-prometheus-client is there; its names are those of docs/operating/metrics.md."""
    def fetch(accept):
        request = urllib.request.Request(f"http://127.0.0.1:{world.port('http')}/metrics", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers["Content-Type"], answer.read().decode()

    kind, text = fetch("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    expect_equal(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8", "content type")
    expect(text.endswith("\n# EOF\n"), "an end", text[-40:])
    old_kind, old = fetch("text/plain")
    expect_equal(old_kind, "text/plain; version=0.0.4; charset=utf-8", "content type of the older format")
    names = set(re.findall(r"^([a-z0-9_]+)[ {]", text, re.M))
    page = set(re.findall(r"^\| `([a-z0-9_]+)(?:\{site\})?`", open(os.path.join(ROOT, "docs", "operating", "metrics.md")).read(), re.M))
    expect_equal(sorted(names), sorted(page), "names in docs/operating/metrics.md")
    expect_equal(sorted(set(re.findall(r"^([a-z0-9_]+)[ {]", old, re.M))), sorted(page), "names in the older format")
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
        from prometheus_client.parser import text_string_to_metric_families as read_old
    except ImportError:
        return
    for families in (list(read_open(text)), list(read_old(old))):
        expect(len(families) > 20 and all(f.documentation and f.type in ("counter", "gauge") for f in families), "families with help and type", families)


@case
def errors_go_to_standard_error(world):
    """Nothing on standard output, something on standard error, and the code that docs/operating/cli.md names."""
    import subprocess
    missing = f"{token()}@{DOMAIN}"
    here = ("--dir", world.data)
    for code, words in ((1, ("account", "remove", missing, *here)), (1, ("account", "passwd", missing, "--password", "x", *here)), (1, ("domain", "remove", "nowhere.test", *here)),
                        (1, ("domain", "remove", DOMAIN, *here)), (1, ("domain", "add", DOMAIN, *here)), (1, ("account", "add", world.address("bob"), "--password", "x", *here)),
                        (1, ("account", "add", "a@nowhere.test", "--password", "x", *here)), (1, ("account", "app-password", "remove", "bob", "none", *here)),
                        (1, ("account", "app-password", "list", missing, *here)), (1, ("alias", "remove", missing, *here)), (1, ("alias", "add", missing, "not an address", *here)),
                        (1, ("message", "show", "no-such-id", *here)), (1, ("queue", "show", "17", *here)), (1, ("queue", "delete", "17", *here)), (1, ("reload", *here)),
                        (1, ("domain", "list", "--dir", world.folder + "/none")), (1, ("domain", "list", "--config", world.folder + "/none.toml")),
                        (1, ("config", "check", "--config", world.folder + "/none.toml")), (1, ("config", "effective", "--config", world.folder + "/none.toml")),
                        (1, ("serve", "--config", world.folder + "/none.toml")),
                        (2, ()), (2, ("queue",)), (1, ("queue", "hold", *here)), (2, ("domain", "add", *here)), (2, ("send", "--to", "a@b.test")), (2, ("send", "--subject", "x", "--body", "x")), (2, ("send", "--user", "bob", "--to", "a@b.test", "--subject", "x", "--body", "x")),
                        (3, ("send", "--server", "127.0.0.1:1", "--from", "a@b.test", "--to", "a@b.test", "--subject", "x", "--body", "x"))):
        done = subprocess.run([world.program, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        expect(done.returncode == code and done.stdout == "" and done.stderr, f"{words}", done.returncode, done.stdout, done.stderr)


@case(seconds=90)
def pasted_lines_of_the_readme(world):
    """What README.md and the output of `godwit dev` offer to paste, as it stands there but for ports and folder."""
    text = open(os.path.join(ROOT, "README.md")).read() + open(world.log, errors="replace").read()
    os.makedirs(os.path.join(world.folder, "Mail"), exist_ok=True)
    lines = sorted(set(re.findall(r"^(?:swaks|curl|mutt) .*$", text, re.M)), reverse=True)
    expect(len(lines) >= 6, "lines to paste", lines)
    submit(world, [world.address("bob"), world.address("alice")], message(token(), sender=world.address("alice")))
    for line in lines:
        line = re.sub(r"\b20(465|587|993|143|025|995)\b", lambda m: str(world.base + int(m.group(1))), line.replace(".godwit-dev/", world.data + "/"))
        program = line.split()[0]
        if program == "mutt":
            if not shutil.which("neomutt"):
                continue
            # In batch: opens the mailbox, looks, and leaves.
            line = line.replace("mutt ", "neomutt -F /dev/null -e 'set ssl_force_tls=yes' ", 1) + " -e 'push <exit>'"
            code, out = run(["bash", "-c", f"TERM=dumb timeout 20 script -qec {shlex.quote(line)} /dev/null"], text="", check=False, env={"HOME": world.folder})
            expect(code == 0 and "Selecting INBOX" in out and "Password" not in out, line, code, [w for w in out.split("  ") if w])
        elif shutil.which(program):
            out = run(["bash", "-c", line])[1]
            expect("250 2.0.0" in out if program == "swaks" else "Subject:" in out, line, out[-500:])


@case
def a_new_data_folder_is_synced_with_its_name(world):
    """A power cut must not take the name of the folder that holds all the mail."""
    trace, home = os.path.join(world.folder, "folder-calls"), os.path.join(world.folder, "folder-new", "deep", "home")
    run(["strace", "-f", "-y", "-e", "trace=mkdir,mkdirat,rename,renameat,renameat2,fsync", "-o", trace, world.program, "init", "--hostname", "mx.example.test", "--domain", DOMAIN, "--dir", home])
    names, synced = {}, []
    with open(trace) as lines:
        for number, line in enumerate(lines):
            made = re.search(r'mkdir(?:at)?\(.*?"([^"]+)".*= 0$|rename(?:at2?)?\(.*"([^"]+)"[^"]*= 0$', line)
            if made:
                names[os.path.normpath(made.group(1) or made.group(2))] = number
            folder = re.search(r"fsync\(\d+<([^>]+)>\).*= 0$", line)
            if folder:
                synced.append((folder.group(1), number))
    expect(home in names and os.path.join(home, "data") in names and any(name.endswith("godwit.toml") for name in names), "what was made", names)
    for name, number in names.items():
        expect(any(folder == os.path.dirname(name) and later > number for folder, later in synced), "the folder is synced after it got a name", name, synced)


@case
def interrupted_password_leaves_the_terminal_as_it_was(world):
    import pty
    import termios
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # It is ignored where the suite runs behind nohup or in a script's background.
        os.execv(world.program, [world.program, "account", "passwd", "alice", "--dir", world.data])
    try:
        before = b""
        while b"assword" not in before:
            before += os.read(terminal, 1000)
        end = time.monotonic() + 10
        while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < end:
            time.sleep(0.01)
        expect(not termios.tcgetattr(terminal)[3] & termios.ECHO, "the password is not shown")
        os.write(terminal, b"half a pass\x03")
        _, status = os.waitpid(pid, 0)
        expect(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, "ended by the signal", status)
        expect(termios.tcgetattr(terminal)[3] & termios.ECHO, "there is echo again")
    finally:
        os.close(terminal)
