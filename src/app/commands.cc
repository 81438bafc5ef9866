// The table of commands. Parsing, help, suggestions and docs/operating/cli.md derive from it; for
// the commands that are calls of serve/admin/api.h, arguments and options are the call's arguments.
#include "app/commands.h"

#include "app/places.h"

namespace godwit::app {
namespace {

constexpr OptionRow kHere[] = {kDirOption, kConfigOption, kJsonOption};
constexpr OptionRow kCheck[] = {kConfigOption, kSetOption, kJsonOption};
constexpr OptionRow kServe[] = {kConfigOption, kSetOption};

constexpr OptionRow kDev[] = {
    {"--dir", "DIR", "Where everything is kept (default: ./.godwit-dev)."},
    {"--base-port", "N", "Ports are N plus the standard number (default: 20000)."},
    {"--domain", "DOMAIN", "The local domain (default: example.test)."},
    {"--account", "NAME:PASSWORD", "An account (default: alice:alice and bob:bob).", Occurs::Many},
    {"--route", "DOMAIN=TO", "Where a domain's mail goes: HOST:PORT or discard.", Occurs::Many},
    {"--resolver", "IP:PORT", "Send to other domains too, by this DNS server."},
};
constexpr OptionRow kInit[] = {
    {"--hostname", "NAME", "The server's full name: mx.example.org.", Occurs::Once},
    {"--domain", "DOMAIN", "The first mail domain: example.org.", Occurs::Once},
    {"--dir", "DIR",
     "Keep configuration, certificate and data below DIR (default: /etc/godwit and "
     "/var/lib/godwit)."},
};

constexpr ArgumentRow kDomain[] = {{"DOMAIN", "A domain: example.org."}};
constexpr ArgumentRow kAddress[] = {
    {"ADDRESS", "An account's address; without a domain, the default."}};
constexpr ArgumentRow kAccounts[] = {
    {"ACCOUNT", "Accounts' addresses; without a domain, the default.", Occurs::Any}};
constexpr ArgumentRow kAliasAdd[] = {
    {"ADDRESS", "The alias."}, {"TARGET", "Where its mail goes, here or elsewhere.", Occurs::Many}};
constexpr ArgumentRow kAlias[] = {{"ADDRESS", "The alias."}};
constexpr ArgumentRow kSender[] = {{"ADDRESS", "The account."},
                                   {"SENDER", "An address, or @DOMAIN for all of a domain."}};
constexpr ArgumentRow kAppPassword[] = {{"ADDRESS", "The account."},
                                        {"NAME", "What the password is for: phone."}};
constexpr ArgumentRow kAclAccount[] = {{"ACCOUNT", "The account whose mailboxes they are."}};
constexpr ArgumentRow kAclGrantee[] = {
    {"ACCOUNT", "The account whose mailbox it is."},
    {"MAILBOX", "The mailbox, as its owner calls it: INBOX, or Projects/Godwit."},
    {"WHO", "Another account, or \"anyone\": all of the owner's domain."}};
constexpr ArgumentRow kAclEntry[] = {
    kAclGrantee[0],
    kAclGrantee[1],
    kAclGrantee[2],
    {"RIGHTS",
     "Letters (RFC 4314): l look up, r read, s \\Seen of one's own, w other flags, i add "
     "messages, p post, k mailboxes below, x delete it, t \\Deleted, e expunge, a "
     "change this list."}};
constexpr ArgumentRow kId[] = {{"ID", "A message's id, as in its 250 reply."}};
constexpr ArgumentRow kIds[] = {{"ID", "Messages' ids.", Occurs::Any}};

constexpr OptionRow kDomainSettings[] = {
    {"--catch-all", "ADDRESS", "Takes what nobody else of the domain does; empty for nobody."},
    {"--subaddress-delimiter", "CHARS",
     "Each of up to four characters splits user+tag (default: +); empty for none."},
    {"--alias-of", "DOMAIN",
     "All addresses of that local domain are valid here too; empty for none."},
    {"--rewrite-senders", "YES",
     "yes: with --alias-of, what is submitted as from here is sent as from there; or no."},
    {"--archive-inbound", "ADDRESS", "Gets a copy of all that comes for the domain."},
    {"--archive-outbound", "ADDRESS", "Gets a copy of all that its accounts submit."},
    {"--tag-senders", "YES",
     "yes: tag return addresses of what leaves and refuse reports about other mail (BATV); or no."},
    {"--shared-mailboxes", "ADDRESS",
     "The account of the domain whose mailboxes the others see as Shared/..., as far as its access "
     "lists let them; empty for none."},
    {"--quota", "SIZE", "Most its accounts may hold together: \"50 GiB\"; 0: no bound."},
    {"--quota-messages", "N", "Most messages they may hold together; 0: no bound."},
    {"--account-quota", "SIZE", "Most an account without a quota of its own may hold."},
    {"--account-quota-messages", "N", "Most messages such an account may hold."},
    {"--account-quota-mailboxes", "N", "Most mailboxes such an account may have."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kForward[] = {{"--to", "ADDRESS", "Where its mail goes.", Occurs::Many},
                                  {"--keep", "", "Into its own mailboxes too."},
                                  {"--off", "", "Into its own mailboxes only."},
                                  kDirOption,
                                  kConfigOption,
                                  kJsonOption};
constexpr OptionRow kAliasSettings[] = {
    {"--owner", "ADDRESS",
     "Reports about what goes on to targets elsewhere come here (default: to the sender)."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kRotate[] = {
    {"--forget-old", "", "Older keys are known to others: refuse what they signed, at once."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kReindex[] = {
    {"--all", "", "Those of all accounts."}, kDirOption, kConfigOption, kJsonOption};
constexpr OptionRow kAccountAdd[] = {
    {"--password", "PASSWORD",
     "The password; asked for, or read from standard input, when absent."},
    {"--generate", "", "Make a random password and print it once."},
    {"--full-name", "NAME", "The person's name."},
    {"--quota", "SIZE",
     "Most the mailboxes may hold: \"2 GiB\" (default, and 0: as the domain says)."},
    {"--quota-messages", "N", "Most messages they may hold."},
    {"--quota-mailboxes", "N", "Most mailboxes there may be, the usual folders among them."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kAccountChange[] = {
    {"--full-name", "NAME", "The person's name."},
    {"--quota", "SIZE", "Most the mailboxes may hold: \"2 GiB\"; 0: as the domain says."},
    {"--quota-messages", "N", "Most messages they may hold; 0: as the domain says."},
    {"--quota-mailboxes", "N", "Most mailboxes there may be; 0: as the domain says."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kPasswd[] = {
    {"--password", "PASSWORD",
     "The password; asked for, or read from standard input, when absent."},
    {"--generate", "", "Make a random password and print it once."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kTlsReport[] = {{"--day", "DAY", "A day in UTC: 2026-01-31 (default: today)."},
                                    kDirOption,
                                    kConfigOption,
                                    kJsonOption};
// What list and the changes choose by; all that are given must hold.
constexpr OptionRow kBySite = {"--site", "SITE", "Only what waits at this site, as list names it."};
constexpr OptionRow kByDomain = {"--domain", "DOMAIN",
                                 "Only what goes to recipients of this domain."};
constexpr OptionRow kBySender = {"--sender", "ADDRESS",
                                 "Only what is from this sender; @DOMAIN for all of a domain, <> "
                                 "for reports."};
constexpr OptionRow kByAge = {"--age", "DURATION",
                              "Only what was accepted this long ago or longer: 2h."};
constexpr OptionRow kByState = {"--state", "STATE",
                                "Only what is waiting, due, sending, suspended, held, quarantined "
                                "or damaged."};
constexpr OptionRow kWhole = {"--all", "", "The whole queue."};
constexpr OptionRow kQueueList[] = {
    kBySite,
    kByDomain,
    kBySender,
    kByAge,
    kByState,
    {"--held", "", "As --state held."},
    {"--quarantined", "", "Only what was in hand at two crashes of the server."},
    {"--limit", "N", "One page of about N rows (default: all)."},
    {"--after", "ID", "From behind this message on."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kQueueChange[] = {kBySite, kByDomain,  kBySender,     kByAge,     kByState,
                                      kWhole,  kDirOption, kConfigOption, kJsonOption};
constexpr OptionRow kQueueDelete[] = {
    {"--report", "", "Tell the senders (a failure report, 5.7.1)."},
    kBySite,
    kByDomain,
    kBySender,
    kByAge,
    kByState,
    kWhole,
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kQueueReroute[] = {
    {"--to", "WHERE",
     "HOST:PORT or lmtp:HOST:PORT, without asking for its MX; or a domain, as mail for it goes.",
     Occurs::Once},
    kBySite,
    kByDomain,
    kBySender,
    kByAge,
    kByState,
    kWhole,
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kSuspendSite = {"--site", "SITE", "Sending to this site."};
constexpr OptionRow kSuspendSender = {"--sender", "ADDRESS",
                                      "Sending from this address; @DOMAIN for all of a domain."};
constexpr OptionRow kSuspendAll = {"--all", "", "All sending."};
constexpr OptionRow kQueueSuspend[] = {
    kSuspendSite,
    kSuspendSender,
    kSuspendAll,
    {"--until", "TIME", "Until then: 2026-01-31T10:00Z (default: until resumed)."},
    {"--for", "DURATION", "For so long: 4h."},
    {"--reason", "TEXT", "Shown by list, why and suspensions."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kQueueResume[] = {kSuspendSite, kSuspendSender, kSuspendAll,
                                      kDirOption,   kConfigOption,  kJsonOption};
constexpr ArgumentRow kSite[] = {
    {"SITE", "As `queue list` names it (a domain), or the name of a host."}};
constexpr ArgumentRow kRouteAddress[] = {{"ADDRESS", "A recipient, here or elsewhere."}};
constexpr OptionRow kTestRoute[] = {
    {"--from", "ADDRESS", "As if from this sender: routes and sources may go by it (default: <>)."},
    {"--probe", "",
     "Ask each address whether it would take the recipient: a session that ends before DATA."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr ArgumentRow kTraced[] = {
    {"WHAT",
     "A message's id, an address (@DOMAIN for all of a domain), or a Message-ID. May be left out "
     "with --follow.",
     Occurs::Optional}};
constexpr OptionRow kTrace[] = {
    {"--since", "DURATION", "Not older than this: 2h (default: all that is kept, trace.keep)."},
    {"--limit", "N", "So many messages at most (default: 50)."},
    {"--after", "ID", "From behind this message on."},
    {"--follow", "", "Tell what happens from now on, until interrupted."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kFsck[] = {
    {"--quick", "", "Do not read every body to compare its hash."},
    {"--damaged", "", "Only list what the scrubber found damaged."},
    {"--repair", "",
     "Rebuild what follows from other rows and list what is lost; the "
     "server must be stopped."},
    {"--drop-lost", "", "With --repair: remove from mailboxes and queue what is lost."},
    {"--recover-to", "ADDRESS",
     "With --repair: put bodies that nothing refers to into this "
     "account's mailbox Recovered."},
    kDirOption,
    kConfigOption,
    kJsonOption};

constexpr OptionRow kMap{"--map", "FROM=TO", "The folder FROM is called TO here.", Occurs::Many};
constexpr OptionRow kRole{
    "--role", "FOLDER=ROLE",
    "What a folder is for: archive, drafts, junk, sent, trash or none (default: by its name).",
    Occurs::Many};
constexpr OptionRow kOnly{"--only", "FOLDER", "Only this folder.", Occurs::Many};
constexpr OptionRow kSource{
    "--source", "NAME",
    "What the source is called; an import of the same name takes only what is new (default: where "
    "it is)."};
constexpr OptionRow kUids{
    "--uids", "", "Keep UIDs and UIDVALIDITY; only into folders that never held a message."};
constexpr OptionRow kUidls{"--uidls", "", "Keep what POP3 called the messages."};
constexpr ArgumentRow kImportMaildir[] = {
    {"ACCOUNT", "Whose mail it becomes; without a domain, the default."},
    {"MAILDIR", "The folder that has cur and new in it."}};
constexpr OptionRow kImportMaildirOptions[] = {
    kMap, kRole, kOnly, kUids, kUidls, kSource, kDirOption, kConfigOption, kJsonOption};

constexpr ArgumentRow kImportMbox[] = {
    {"ACCOUNT", "Whose mail it becomes; without a domain, the default."},
    {"PATH", "An mbox file, or a folder of such files, which become folders."}};
constexpr OptionRow kImportMboxOptions[] = {
    {"--folder", "FOLDER", "Where the one file's messages go (default: by the file's name)."},
    {"--quoting", "FORM", "How lines \"From \" are quoted: mboxrd (the default), mboxo or none."},
    kMap,
    kRole,
    kOnly,
    kSource,
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr ArgumentRow kImportImap[] = {
    {"ACCOUNT", "Whose mail it becomes; without a domain, the default."},
    {"HOST", "The other server: imap.example.org, or with a port."}};
constexpr OptionRow kImportImapOptions[] = {
    {"--user", "NAME", "Who to log in as there.", Occurs::Once},
    {"--password-file", "FILE",
     "The password is the file's first line (default: it is asked for)."},
    {"--token-file", "FILE", "An access token instead (OAUTHBEARER, XOAUTH2)."},
    {"--starttls", "", "Port 143 with STARTTLS (default: port 993 with TLS)."},
    {"--no-tls", "", "Port 143 in the clear: only on this machine."},
    {"--ca-file", "FILE", "Certificates to trust (default: the system's)."},
    {"--fingerprint", "HEX", "Trust the certificate of this SHA-256, whatever else it says."},
    {"--connections", "N", "Folders taken at once, from 1 to 8 (default: 4)."},
    kMap,
    kRole,
    kOnly,
    kUids,
    kSource,
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr ArgumentRow kExport[] = {
    {"ACCOUNT", "Whose mail it is; without a domain, the default."},
    {"FOLDER", "Where the files go: a folder that is empty or is not there yet."}};
constexpr OptionRow kExportOptions[] = {kOnly, kDirOption, kConfigOption, kJsonOption};

constexpr ArgumentRow kBackupFolder[] = {
    {"FOLDER", "The backup's folder, written by the server's user."}};
constexpr OptionRow kBackup[] = {
    {"--keep", "N", "Remove older backups of the folder, all but the newest N (default: none)."},
    kDirOption,
    kConfigOption,
    kJsonOption};
constexpr OptionRow kBackupVerify[] = {
    {"--generation", "BACKUP", "This backup of `backup list` (default: the newest)."}, kJsonOption};
constexpr OptionRow kBackupList[] = {kJsonOption};
constexpr OptionRow kRestore[] = {
    {"--generation", "BACKUP", "This backup of `backup list` (default: the newest)."},
    {"--into", "DATADIR", "Make a whole data folder, which is empty or absent; no server runs."},
    {"--release-queue", "", "With --into: queued mail is not held but sent (again)."},
    {"--account", "ADDRESS", "Put back what one account lacks, also while the server runs."},
    {"--to-mailbox", "MAILBOX", "With --account: put everything below this mailbox."},
    kDirOption,
    kConfigOption,
    kJsonOption};

constexpr OptionRow kSend[] = {
    {"--to", "ADDRESS", "A recipient.", Occurs::Many},
    {"--cc", "ADDRESS", "A recipient, named in Cc.", Occurs::Many},
    {"--bcc", "ADDRESS", "A recipient who is not named.", Occurs::Many},
    {"--subject", "TEXT", "The subject.", Occurs::Once},
    {"--from", "ADDRESS", "The sender (default: --user)."},
    {"--body", "TEXT", "The text; - or absent: standard input."},
    {"--attach", "FILE", "A file to go with it.", Occurs::Many},
    {"--server", "HOST:PORT", "The submission server (default: 127.0.0.1:20587)."},
    {"--user", "NAME", "Log in as."},
    {"--password", "PASSWORD", "With this password; asked for when absent."},
    {"--tls", "HOW",
     "none, starttls or implicit (default: starttls; implicit on ports ending in 465)."},
    {"--ca", "FILE", "PEM file of authorities to trust (default: the system's)."},
    kJsonOption};

// main() hands the words behind "sendmail" to sendmail's own parser; this row is for the help and
// for `godwit sendmail` alone.
int run_sendmail_alone(const Invocation& call) {
    return run_sendmail("sendmail", {}, call.console());
}

constexpr CommandRow kCommands[] = {
    {"dev",
     "",
     "Starts a whole mail system on loopback, for trying and developing.",
     {},
     kDev,
     run_dev},
    {"init",
     "",
     "Makes configuration, certificate, data folder, domain and a first account.",
     {},
     kInit,
     run_init},
    {"init",
     "store",
     "Makes the empty store of a configuration that is there; `serve` never makes one.",
     {},
     kServe,
     run_init_store},
    {"serve", "", "Runs the server.", {}, kServe, run_serve},
    {"config",
     "check",
     "Looks the configuration over and names what is wrong, with lines.",
     {},
     kCheck,
     run_config_check},
    {"config",
     "effective",
     "Prints every setting with where it comes from.",
     {},
     kCheck,
     run_config_effective},
    {"config", "sample", "Prints a configuration to start from.", {}, {}, run_config_sample},
    {"config",
     "reference",
     "Prints the reference of all keys (docs/operating/config.md).",
     {},
     {},
     run_config_reference},
    {"reload",
     "",
     "Has the running server read its configuration again.",
     {},
     kHere,
     run_admin_view},
    {"status", "", "Says how the server is.", {}, kHere, run_admin_view},
    {"domain", "add", "Adds a local domain.", kDomain, kDomainSettings, run_admin_change},
    {"domain", "change", "Changes settings of a domain; what is not named stays.", kDomain,
     kDomainSettings, run_admin_change},
    {"domain", "list", "Lists the local domains.", {}, kHere, run_admin_view},
    {"domain", "remove", "Removes a domain without accounts, aliases and alias domains.", kDomain,
     kHere, run_admin_change},
    {"account", "add", "Adds an account with its mailboxes.", kAddress, kAccountAdd,
     run_admin_change},
    {"account", "change", "Changes settings of an account; what is not named stays.", kAddress,
     kAccountChange, run_admin_change},
    {"account", "list", "Lists the accounts.", {}, kHere, run_admin_view},
    {"account", "remove", "Removes an account with all its mail.", kAddress, kHere,
     run_admin_change},
    {"account", "passwd", "Changes an account's password.", kAddress, kPasswd, run_admin_change},
    {"account", "forward", "Has an account's mail go to other addresses.", kAddress, kForward,
     run_admin_change},
    {"account", "allow-sender", "Lets an account send as an address that is not its own.", kSender,
     kHere, run_admin_change},
    {"account", "deny-sender", "Takes back what allow-sender granted.", kSender, kHere,
     run_admin_change},
    {"account", "app-password add", "Makes a password for one program and prints it once.",
     kAppPassword, kHere, run_admin_change},
    {"account", "app-password list", "Lists an account's app passwords.", kAddress, kHere,
     run_admin_view},
    {"account", "app-password remove", "Takes an app password back.", kAppPassword, kHere,
     run_admin_change},
    {"alias", "add", "Adds an address whose mail goes to others: an alias, or a group.", kAliasAdd,
     kAliasSettings, run_admin_change},
    {"alias", "change", "Gives an alias other targets and another owner.", kAliasAdd,
     kAliasSettings, run_admin_change},
    {"alias", "list", "Lists the aliases.", {}, kHere, run_admin_view},
    {"alias", "remove", "Removes an alias.", kAlias, kHere, run_admin_change},
    {"srs",
     "rotate",
     "Draws a new key for return addresses; older ones verify until what they signed has run out.",
     {},
     kRotate,
     run_admin_change},
    {"queue", "list", "Lists what waits to be sent.", {}, kQueueList, run_admin_view},
    {"queue", "show", "Shows one message of the queue with its recipients.", kId, kHere,
     run_admin_view},
    {"queue",
     "summary",
     "Counts what waits, by site and age in minutes.",
     {},
     kHere,
     run_queue_summary},
    {"queue", "why", "Says why a message is still here.", kId, kHere, run_queue_why},
    {"queue", "retry", "Has deliveries tried at once.", kIds, kQueueChange, run_admin_change},
    {"queue", "hold", "Keeps deliveries from being tried.", kIds, kQueueChange, run_admin_change},
    {"queue", "release", "Ends a hold and tries at once.", kIds, kQueueChange, run_admin_change},
    {"queue", "reroute", "Sends deliveries another way, at once; ends a hold.", kIds, kQueueReroute,
     run_admin_change},
    {"queue", "expire", "Gives deliveries up now; their senders are told (5.4.7).", kIds,
     kQueueChange, run_admin_change},
    {"queue", "delete", "Drops deliveries; nobody is told, but with --report.", kIds, kQueueDelete,
     run_admin_change},
    {"queue",
     "suspend",
     "Stops sending to a site, from a sender, or at all.",
     {},
     kQueueSuspend,
     run_admin_change},
    {"queue", "resume", "Ends a suspension.", {}, kQueueResume, run_admin_change},
    {"queue", "suspensions", "Lists what is suspended, and why.", {}, kHere, run_admin_view},
    {"site",
     "list",
     "Lists the hosts that mail goes to: connections, pauses, what waits for them.",
     {},
     kHere,
     run_site_list},
    {"site", "show", "Shows where mail for a site goes, and what holds it up.", kSite, kHere,
     run_site_show},
    {"tls-report",
     "list",
     "Lists the domains of a day: how TLS with their hosts went, what was sent.",
     {},
     kTlsReport,
     run_admin_view},
    {"tls-report", "show", "Shows a domain's report of a day, and what became of it.", kDomain,
     kTlsReport, run_admin_view},
    {"trace", "", "Tells the whole life of messages: session, decisions, deliveries, attempts.",
     kTraced, kTrace, run_trace},
    {"test-route", "", "Says what would happen to mail for an address, without sending any.",
     kRouteAddress, kTestRoute, run_test_route},
    {"message", "show", "Tells what happened to a message so far, in order.", kId, kHere,
     run_admin_view},
    {"send", "", "Writes a message and submits it to a server.", {}, kSend, run_send},
    {"sendmail",
     "",
     "Submits a message as sendmail(8) does; `godwit sendmail --help` says more.",
     {},
     {},
     run_sendmail_alone},
    {"acl", "list", "Lists who may do what with an account's mailboxes.", kAclAccount, kHere,
     run_admin_view},
    {"acl", "set", "Gives somebody rights to a mailbox, in place of those he had.", kAclEntry,
     kHere, run_admin_change},
    {"acl", "remove", "Takes somebody's rights to a mailbox back.", kAclGrantee, kHere,
     run_admin_change},
    {"index", "list", "Lists search indexes and how far they are.", {}, kHere, run_admin_view},
    {"reindex", "", "Has search indexes made anew; meanwhile searches read the messages.",
     kAccounts, kReindex, run_admin_change},
    {"scrub",
     "",
     "Has the server read everything again now, at a bounded rate; status says what came of it.",
     {},
     kHere,
     run_admin_view},
    {"fsck", "", "Walks the store and states every invariant it checked.", {}, kFsck, run_fsck},
    {"backup", "",
     "Takes a backup while the server runs; what an earlier one has is not copied again.",
     kBackupFolder, kBackup, run_backup},
    {"backup", "verify", "Reads a backup whole and says what does not hold; needs no server.",
     kBackupFolder, kBackupVerify, run_backup_verify},
    {"backup", "list", "Lists the backups of a folder.", kBackupFolder, kBackupList,
     run_backup_list},
    {"restore", "", "Makes a data folder out of a backup, or puts back what one account lacks.",
     kBackupFolder, kRestore, run_restore},
    {"import", "maildir",
     "Takes the mail of a Maildir, with folders, flags, keywords and dates; again, only what is "
     "new.",
     kImportMaildir, kImportMaildirOptions, run_import_maildir},
    {"import", "imap",
     "Takes the mail of an account on another IMAP server, with folders, roles, flags, keywords "
     "and "
     "dates; again, only what is new.",
     kImportImap, kImportImapOptions, run_import_imap},
    {"import", "mbox", "Takes the messages of mbox files, with flags, keywords and dates.",
     kImportMbox, kImportMboxOptions, run_import_mbox},
    {"export", "maildir",
     "Writes an account's mail as a Maildir, with folders, flags, keywords, dates and UIDs.",
     kExport, kExportOptions, run_export_maildir},
    {"export", "mbox", "Writes an account's mail as an mbox file (mboxrd) a folder.", kExport,
     kExportOptions, run_export_mbox},
    {"version", "", "Prints the version.", {}, {}, run_version},
};

}  // namespace

std::span<const CommandRow> command_table() {
    return kCommands;
}

}  // namespace godwit::app
