"""The program under the name `sendmail`, called as cron, mutt, git and others call it."""
import os
import re
import shutil
import subprocess

from harness import DISCARD, DOMAIN, HELD, case, expect, expect_equal, need, run, token

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def command(world, name="sendmail"):
    """The program under another name, in a folder that everybody may enter."""
    os.chmod(world.folder, 0o711)
    folder = os.path.join(world.folder, "sbin")
    if not os.path.exists(folder):
        os.mkdir(folder)
        shutil.copy(world.program, os.path.join(folder, "godwit"))
        for other in ("sendmail", "mailq", "newaliases"):
            os.symlink("godwit", os.path.join(folder, other))
        os.chmod(folder, 0o755)
        os.chmod(os.path.join(folder, "godwit"), 0o755)
    return os.path.join(folder, name)


def sendmail(world, *options, text="", codes=(0,), name="sendmail", wrapper=(), dir=None):
    """(standard output, standard error); the exit code is one of codes."""
    done = subprocess.run([*wrapper, command(world, name), *options], input=text.encode(), capture_output=True, timeout=30, env=dict(os.environ, GODWIT_DIR=dir or world.data))
    out, err = done.stdout.decode(), done.stderr.decode()
    expect(done.returncode in codes, f"{name} {options} ended with {done.returncode}", out, err)
    return out, err


@case
def as_cron_calls_it(world):
    word = token()
    text = (f"From: root (Cron Daemon)\nTo: bob\nSubject: Cron <root@host> {word}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
            "Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\nGrüße\n.\nafter the dot\n")
    out, err = sendmail(world, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "bob", text=text)
    expect_equal((out, err), ("", ""), "a mail program that succeeds says nothing")
    found = world.wait_mail("bob", word)[0]
    expect("Grüße\r\n.\r\nafter the dot\r\n".encode() in found, "the body", found)
    expect(re.search(rb"^From: .*root", found, re.M) and re.search(rb"^Date: ", found, re.M) and re.search(rb"^Message-ID: ", found, re.M | re.I), "the header is completed", found)


@case
def as_mutt_calls_it(world):
    need("neomutt")
    word = token()
    environment = dict(GODWIT_DIR=world.data, HOME=world.folder)
    run(["neomutt", "-F", "/dev/null", "-e", f'set sendmail="{command(world)} -oem -oi"', "-e", f"set from={world.address('alice')} use_envelope_from=yes copy=no", "-s", word,
         "-b", world.address("carol"), "--", world.address("bob")], text="From mutt.\n", env=environment)
    found = world.wait_mail("bob", word)[0]
    expect(b"\r\nFrom mutt.\r\n" in found and f"Return-Path: <{world.address('alice')}>".encode() in found, "the message", found)
    expect(b"carol" not in world.wait_mail("carol", word)[0].split(b"\r\n\r\n")[0].split(b"Subject:")[1], "Bcc is gone")
    # An option-like word behind -- is a recipient, and a wrong one.
    sendmail(world, "-oem", "-oi", "--", f"-x@{DOMAIN}", text="Subject: x\n\nx\n", codes=(67,))


@case
def as_git_and_php_call_it(world):
    word = token()
    sendmail(world, "-f", world.address("alice"), "-i", world.address("bob"), world.address("carol"), text=f"From: alice@{DOMAIN}\nTo: bob@{DOMAIN}\nCc: carol@{DOMAIN}\nSubject: [PATCH] {word}\n\nFrom the patch\n.\n-- \n2.39\n")
    for name in ("bob", "carol"):
        expect(world.wait_mail(name, word)[0].endswith(b"\r\nFrom the patch\r\n.\r\n-- \r\n2.39\r\n"), f"{name}'s copy")
    word = token()
    sendmail(world, "-t", "-i", f"-f{world.address('alice')}", text=f"To: Bob <bob@{DOMAIN}>,\r\n carol\r\nSubject: {word}\r\nBcc: mutt@{DOMAIN}\r\n\r\nphp\r\n")
    for name in ("bob", "carol", "mutt"):
        expect(b"bcc" not in world.wait_mail(name, word)[0].lower(), f"{name}'s copy")


@case
def full_name_dot_and_mbox_line(world):
    word = token()
    sendmail(world, "-F", "Root of All", "-N", "never", "-R", "hdrs", "-V", "id-1", "-h", "3", "-L", "tag", "-odi", world.address("bob"), text=f"From someone Sat Jan  1 00:00:00 2026\nSubject: {word}\n\nbefore\n.\nafter\n")
    found = world.wait_mail("bob", word)[0]
    expect(re.search(rb'^From: "?Root of All"? <', found, re.M), "-F names the author", found)
    expect(found.endswith(b"\r\nbefore\r\n") and b"\r\nFrom someone" not in found, "a dot ends the text, a mailbox line is no part of it", found)


@case
def exit_codes_are_those_of_sysexits(world):
    text = f"Subject: {token()}\n\nx\n"
    for options in (["-Z"], ["-f"], ["--jsn"], ["-bd"], ["-N", "often", "bob"], []):
        expect("sendmail:" in sendmail(world, *options, text=text, codes=(64,))[1], f"{options} is wrong use, and said so")
    expect("no recipients" in sendmail(world, "-t", text=text, codes=(64,))[1], "-t without addresses")
    err = sendmail(world, "-i", f"no-such-user@{DOMAIN}", text=text, codes=(67,))[1]
    expect(f"no-such-user@{DOMAIN}: 550 5.1.1" in err, "an unknown recipient is named with the reply", err)
    # Nothing on standard input is a message without a body, as others' sendmail has it; with -t it names nobody.
    word = token()
    sendmail(world, "-F", word, world.address("carol"), text="")
    expect(world.wait_mail("carol", word)[0].endswith(b"\r\n\r\n"), "an empty message arrives")
    expect("no recipients" in sendmail(world, "-t", text="", codes=(64,))[1], "-t with nothing to read")
    # The others get it all the same.
    word = token()
    sendmail(world, world.address("bob"), f"no-such-user@{DOMAIN}", text=f"Subject: {word}\n\nx\n", codes=(67,))
    world.wait_mail("bob", word)
    expect("--dir" in sendmail(world, "--help")[0], "--help")
    sendmail(world, name="newaliases")


@case
def without_a_server_nothing_is_lost_or_claimed(world):
    """75 says: not taken, try again; and there is no second queue where it could hide."""
    empty = os.path.join(world.folder, "stopped")
    run([world.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", empty])
    for options in (["-i", "bob"], ["-t"], ["-bs"], ["-q"]):
        out, err = sendmail(world, *options, text="To: postmaster@example.org\n\nx\n", codes=(75,) if options != ["-q"] else (0, 75), dir=os.path.join(empty, "data"))
        expect(out == "" and (options == ["-q"] or os.path.join(empty, "data", "submit.sock") in err), "the socket is named", out, err)
    expect("empty" in run([world.program, "queue", "list", "--dir", empty])[1], "nothing is queued")
    sendmail(world, "-t", text="To: a@example.org\n\nx\n", codes=(75,), dir=os.path.join(world.folder, "no-such-folder"))


@case
def smtp_on_standard_input(world):
    """-bs, as alpine uses it."""
    word = token()
    script = f"EHLO alpine.test\r\nMAIL FROM:<{world.address('alice')}>\r\nRCPT TO:<{world.address('bob')}>\r\nRCPT TO:<nobody-here@{DOMAIN}>\r\nDATA\r\nSubject: {word}\r\n\r\nover stdin\r\n..\r\n.\r\nQUIT\r\n"
    out = sendmail(world, "-bs", "-odb", "-oem", text=script)[0]
    codes = [line[:3] for line in out.split("\r\n") if line[3:4] == " "]
    expect_equal(codes, ["220", "250", "250", "250", "550", "354", "250", "221"], "the replies")
    expect(world.wait_mail("bob", word)[0].endswith(b"over stdin\r\n.\r\n"), "the message")
    # Input that ends without QUIT ends the session, not the patience of the caller.
    expect(sendmail(world, "-bs", text="NOOP\r\n")[0].startswith("220"), "end of input")


@case
def lists_and_runs_the_queue(world):
    word = token()
    sendmail(world, "-f", world.address("alice"), f"{word}@{HELD}", text="Subject: held\n\nx\n")
    for name, options in (("sendmail", ["-bp"]), ("mailq", [])):
        expect(f"{word}@{HELD}" in sendmail(world, *options, name=name)[0], name)
    sendmail(world, "-q")
    sendmail(world, "-q15m")
    entry = next(e for e in world.queue() if f"{word}@{HELD}" in str(e))
    world.godwit("queue", "delete", str(entry["id"]))


@case
def an_ordinary_user_may_send_and_no_more(world):
    if os.geteuid() != 0:
        from harness import Skip
        raise Skip("needs root to become another user")
    word = token()
    out = sendmail(world, "-v", "-i", world.address("bob"), text=f"Subject: {word}\n\nfrom nobody\n", wrapper=NOBODY)[0]
    found = world.wait_mail("bob", word)[0]
    expect(re.search(rb"^From: .*nobody@", found, re.M), "the author is the user", found)
    number = re.search(r" as (\S+)", out).group(1)
    expect("uid=65534" in world.godwit("message", "show", number)[1], "the kernel says who it was", out)
    err = sendmail(world, name="mailq", wrapper=NOBODY, codes=(69, 77))[1]
    expect("admin.sock" in err and "ermission denied" in err, "the queue is not everybody's", err)
    code, err = run([*NOBODY, command(world, "godwit"), "account", "list", "--dir", world.data], check=False)
    expect(code == 1 and "ermission denied" in err, "nor are the accounts", err)
    # Mail to elsewhere is taken from this machine's users.
    sendmail(world, f"{word}@{DISCARD}", text="Subject: out\n\nx\n", wrapper=NOBODY)
