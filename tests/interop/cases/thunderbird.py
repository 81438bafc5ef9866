"""Thunderbird without a window, driven by its own Marionette: opens INBOX, flags and deletes, sends; all over TLS with a
password from its own store."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from harness import Failure, case, expect, expect_equal, free_ports, message, need, token

USER = "bob"


class Marionette:
    """The remote protocol of Gecko: a length in decimal, a colon, and a JSON array."""

    def __init__(self, port, process):
        end = time.monotonic() + 60
        while True:
            expect(process.poll() is None, "thunderbird ended at its start with", process.returncode)
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                expect(time.monotonic() < end, "thunderbird opens its Marionette port")
                time.sleep(0.3)
        self.socket.settimeout(60)
        self.buffer, self.count = b"", 0
        self.read()
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def read(self):
        while b":" not in self.buffer:
            self.more()
        size, _, rest = self.buffer.partition(b":")
        while len(rest) < int(size):
            self.more()
            rest = self.buffer.partition(b":")[2]
        self.buffer = rest[int(size):]
        return json.loads(rest[:int(size)])

    def more(self):
        got = self.socket.recv(65536)
        expect(got, "thunderbird keeps its Marionette connection")
        self.buffer += got

    def ask(self, name, parameters):
        self.count += 1
        text = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(str(len(text)).encode() + b":" + text)
        while True:
            reply = self.read()
            if reply[0] == 1 and reply[1] == self.count:
                expect(reply[2] is None, name, reply[2])
                return reply[3]

    def run(self, script, *args):
        """An async function's body; its arguments are in `args`."""
        body = "const [args, done] = [Array.from(arguments).slice(0, -1), arguments[arguments.length - 1]];\n" + \
            f"(async () => {{ {PRELUDE} {script} }})().then(v => done({{value: v ?? null}}), e => done({{error: String(e) + (e.stack || '')}}));"
        result = self.ask("WebDriver:ExecuteAsyncScript", {"script": body, "args": list(args), "scriptTimeout": 40000, "newSandbox": True})["value"]
        expect("error" not in result, "thunderbird:", result)
        return result["value"]


# What each script begins with.
PRELUDE = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const sleep = (ms) => new Promise((resume) => { const t = Cc["@mozilla.org/timer;1"].createInstance(Ci.nsITimer); t.initWithCallback(() => resume(t), ms, 0); });
const account = MailServices.accounts.getAccount("account1");
const folderOf = (flag) => account.incomingServer.rootFolder.getFolderWithFlags(flag);
const find = (subject) => { const box = folderOf(Ci.nsMsgFolderFlags.Inbox); return box ? [...box.messages].find((m) => m.mime2DecodedSubject == subject) : undefined; };
const until = async (what, name) => { for (let i = 0; i < 150; ++i) { const v = await what(); if (v) { return v; } await sleep(200); } throw new Error("waited in vain for " + name); };
"""


def write_profile(world, folder, marionette_port):
    prefs = {
        "marionette.port": marionette_port, "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False,
        "mailnews.start_page.enabled": False, "mail.provider.suppress_dialog_on_startup": True, "mail.shell.checkDefaultClient": False, "mail.chat.enabled": False,
        "network.proxy.type": 0, "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
        "mail.accountmanager.accounts": "account1,account2", "mail.accountmanager.defaultaccount": "account1", "mail.accountmanager.localfoldersserver": "server2",
        "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1", "mail.account.account2.server": "server2",
        "mail.server.server1.type": "imap", "mail.server.server1.hostname": "localhost", "mail.server.server1.port": world.port("imaps"),
        "mail.server.server1.userName": USER, "mail.server.server1.name": "Godwit", "mail.server.server1.socketType": 3, "mail.server.server1.authMethod": 3,
        "mail.server.server1.login_at_startup": False, "mail.server.server1.check_new_mail": False, "mail.server.server1.directory-rel": "[ProfD]ImapMail/localhost",
        "mail.server.server2.type": "none", "mail.server.server2.hostname": "Local Folders", "mail.server.server2.userName": "nobody",
        "mail.server.server2.name": "Local Folders", "mail.server.server2.directory-rel": "[ProfD]Mail/Local Folders",
        "mail.identity.id1.useremail": world.address(USER), "mail.identity.id1.fullName": "Bob", "mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.valid": True,
        "mail.identity.id1.fcc": False, "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1", "mail.smtpserver.smtp1.type": "smtp",
        "mail.smtpserver.smtp1.hostname": "localhost", "mail.smtpserver.smtp1.port": world.port("submissions"), "mail.smtpserver.smtp1.username": USER,
        "mail.smtpserver.smtp1.try_ssl": 3, "mail.smtpserver.smtp1.authMethod": 3,
    }
    os.makedirs(folder)
    with open(folder + "/user.js", "w") as f:
        for name, value in prefs.items():
            f.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")


@contextlib.contextmanager
def thunderbird(world):
    need("thunderbird")
    home = os.path.join(world.folder, f"thunderbird-{token()}")
    port = free_ports(1)[0]
    write_profile(world, home + "/profile", port)
    log = open(home + "/log", "wb")
    process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", home + "/profile"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True, env=dict(os.environ, HOME=home, MOZ_HEADLESS="1", MOZ_CRASHREPORTER_DISABLE="1"))
    try:
        yield Marionette(port, process)
    except (OSError, Failure) as why:
        with open(home + "/log", errors="replace") as f:
            raise Failure(f"{why}\n" + "".join(line for line in f if "gtk" not in line.lower() and line.strip())[-1500:]) from why
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


@case(seconds=120)
def reads_flags_deletes_and_sends(world):
    need("thunderbird")
    flagged, deleted, sent = (f"Grüße {token()}" for _ in range(3))
    with world.imap(USER) as client:
        for subject in (flagged, deleted):
            client.append("INBOX", "", None, message(subject).replace(subject.encode(), f"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= {subject[6:]}".encode()))
    with open(world.ca) as f:
        ca = "".join(line for line in f.read().splitlines() if "-----" not in line)
    with thunderbird(world) as client:
        client.run("""
            Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(args[0], "CTu,,");
            for (const origin of ["imap://localhost", "smtp://localhost"]) {
                const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
                login.init(origin, null, origin, args[1], args[1], "", "");
                await Services.logins.addLoginAsync(login);
            }
            account.incomingServer.performExpand(null);
            await until(() => folderOf(Ci.nsMsgFolderFlags.Inbox), "INBOX");
            """, ca, USER)
        client.run("""
            await until(() => {
                folderOf(Ci.nsMsgFolderFlags.Inbox).updateFolder(null);
                return find(args[0]) && find(args[1]);
            }, "the messages");
            const inbox = folderOf(Ci.nsMsgFolderFlags.Inbox);
            inbox.markMessagesFlagged([find(args[0])], true);
            inbox.deleteMessages([find(args[1])], null, false, false, null, false);
            await until(() => !find(args[1]), "the message to go");
            """, flagged, deleted)
        file = os.path.join(world.folder, f"{token()}.eml")
        with open(file, "wb") as f:
            f.write(message(sent, body="By Thunderbird.\r\n", sender=world.address(USER), to=world.address("alice")).replace(
                sent.encode(), f"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= {sent[6:]}".encode()))
        client.run("""
            const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
            file.initWithPath(args[0]);
            const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
            fields.from = args[1];
            fields.to = args[2];
            const send = Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend);
            send.sendMessageFile(account.defaultIdentity, "account1", fields, file, false, false, Ci.nsIMsgSend.nsMsgDeliverNow, null, null, null, "");
            """, file, world.address(USER), world.address("alice"))
        expect(b"By Thunderbird." in world.wait_mail("alice", sent[6:])[0], "what was sent has come")
        end = time.monotonic() + 20
        while True:
            with world.imap(USER) as look:
                flags = look.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            found = [item[0] for item in flags if isinstance(item, tuple) and flagged[6:].encode() in item[1]]
            if (found and b"\\Flagged" in found[0]) or time.monotonic() > end:
                break
            time.sleep(0.3)
        expect(found and b"\\Flagged" in found[0], "the flag is in the server's mailbox", flags)
    kept = [item for item in flags if isinstance(item, tuple) and deleted[6:].encode() in item[1]]
    expect(not kept or b"\\Deleted" in kept[0][0], "the deleted message is gone, or marked", kept)
    expect_equal(len(world.find(USER, deleted[6:], "Trash")), 1, "copies in Trash")
