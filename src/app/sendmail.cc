// The sendmail(8) front: reads a message and submits it through <data>/submit.sock. Queues nothing
// of its own: with the server down it exits 75, and the caller keeps its message.
#include <poll.h>
#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/file.h"
#include "app/places.h"
#include "app/sendmail_options.h"
#include "app/sendmail_text.h"
#include "app/submit_client.h"
#include "app/unix_client.h"
#include "base/ascii.h"
#include "base/json.h"
#include "base/limits.h"
#include "mail/address/address_list.h"
#include "mail/message/builder.h"
#include "mail/message/header.h"

namespace godwit::app {
namespace {

constexpr std::string_view kHelp =
    "usage: sendmail [-t] [-i] [-v] [-f SENDER] [-F NAME] [-N WHEN] [-R full|hdrs] [-V ID]\n"
    "                [-bm|-bp|-bs] [-q] [--dir DIR] [--] [RECIPIENT]...\n\n"
    "Reads a message from standard input and hands it to the server of this machine.\n"
    "  -t   also send to the addresses in To, Cc and Bcc    -i   a line of '.' is text\n"
    "  -bp  list the queue (mailq)    -bs  speak SMTP on standard input and output\n"
    "  -q   try what waits at once    -v   say what the server answered\n"
    "Exit, as in sysexits.h: 0 accepted, 64 wrong use or no recipient, 65 message too "
    "large,\n67 no such recipient, 69 refused, 75 try again later (also: the server is down), 77 "
    "not allowed.\n";

std::string user_name() {
    const passwd* entry = ::getpwuid(::getuid());
    return entry != nullptr ? entry->pw_name : "uid" + std::to_string(::getuid());
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

/// The domain of addresses that have none.
std::string domain_for(const flow::Settings& settings) {
    return settings.default_domain.empty() ? host_name() : settings.default_domain;
}

/// Addresses of To, Cc and Bcc (and of their Resent- forms when it is a resent message).
Result<> add_header_recipients(std::string_view message, const std::string& domain,
                               std::vector<smtp::OutgoingRecipient>& out) {
    const mail::HeaderIndex index = mail::split_header(message);
    const bool is_resent = index.find(message, "Resent-To") != nullptr ||
                           index.find(message, "Resent-Cc") != nullptr ||
                           index.find(message, "Resent-Bcc") != nullptr;
    for (const mail::HeaderField& field : index.fields) {
        std::string_view name = field.name(message);
        if (starts_with_ignore_case(name, "Resent-") != is_resent) {
            continue;
        }
        name.remove_prefix(is_resent ? 7 : 0);
        if (!equals_ignore_case(name, "To") && !equals_ignore_case(name, "Cc") &&
            !equals_ignore_case(name, "Bcc")) {
            continue;
        }
        for (const mail::ListedAddress& item :
             mail::parse_address_list(field.body(message)).items) {
            if (item.kind == mail::ListedAddress::Kind::Mailbox) {
                const std::string text =
                    item.host.empty() ? item.mailbox
                                      : mail::quote_local_part(item.mailbox) + "@" + item.host;
                out.push_back({.address = TRY(complete_address(text, domain)), .parameters = {}});
            }
        }
    }
    return {};
}

Result<SubmitRequest> read_request(const SendmailOptions& options, const flow::Settings& settings,
                                   const Console& console) {
    const std::string domain = domain_for(settings);
    SubmitRequest request;
    request.host = "unix:" + submit_socket(settings);
    request.hello_name = host_name();
    const mail::Address own = TRY(mail::make_address(user_name(), domain));
    request.mail.sender = own;
    if (options.sender) {
        request.mail.sender.reset();
        if (!options.sender->empty()) {
            request.mail.sender = TRY(complete_address(*options.sender, domain));
        }
    }
    std::string text = TRY(console.input(limits::sendmail_message_size_max));
    drop_mbox_line(text);
    request.message = mail::with_crlf(cut_at_dot(std::move(text), options));
    complete_header_addresses(request.message, domain);
    for (const std::string& word : options.recipients) {
        for (const std::string_view one : split(word, ',')) {
            if (!trim(one).empty()) {
                request.mail.recipients.push_back(
                    {.address = TRY(complete_address(trim(one), domain)), .parameters = {}});
            }
        }
    }
    if (options.recipients_from_header) {
        TRY(add_header_recipients(request.message, domain, request.mail.recipients));
    }
    if (request.mail.recipients.empty()) {
        return peer_error(ErrorCode::Invalid, "no recipients: name them, or use -t");
    }
    for (smtp::OutgoingRecipient& recipient : request.mail.recipients) {
        recipient.parameters.notify = options.notify;
    }
    request.mail.ret = options.ret;
    request.mail.envid = options.envid;
    TRY(add_author(request.message, request.mail.sender.value_or(own), options.full_name));
    describe_content(request);
    return request;
}

/// Callers of sendmail know sysexits.h: with EX_TEMPFAIL they keep the message.
/// docs/decisions/0012.
int exit_code_for(const Error& error) {
    if (error.kind == ErrorKind::Temporary) {
        return EX_TEMPFAIL;
    }
    switch (error.code) {
        case ErrorCode::Invalid: return EX_USAGE;
        case ErrorCode::LimitExceeded: return EX_DATAERR;
        case ErrorCode::Io: return EX_IOERR;
        case ErrorCode::Denied: return EX_NOPERM;
        default: return EX_UNAVAILABLE;
    }
}

int complain(const Console& console, const Error& error) {
    console.err("sendmail: " + error.text + "\n");
    return exit_code_for(error);
}

/// The worst that was said of a recipient; nobody here by that name, where that is all.
int exit_code_for(const std::vector<smtp::Outcome>& outcomes) {
    bool is_refused = false;
    bool is_unknown_only = true;
    bool is_temporary = false;
    for (const smtp::Outcome& outcome : outcomes) {
        is_temporary = is_temporary || outcome.kind == smtp::OutcomeKind::Temporary;
        if (outcome.kind == smtp::OutcomeKind::Permanent) {
            is_refused = true;
            // RFC 3463 3.2: X.1.1 "Bad destination mailbox address".
            is_unknown_only = is_unknown_only && outcome.reply.enhanced &&
                              outcome.reply.enhanced->subject == 1 &&
                              outcome.reply.enhanced->detail == 1;
        }
    }
    return is_refused ? (is_unknown_only ? EX_NOUSER : EX_UNAVAILABLE)
                      : (is_temporary ? EX_TEMPFAIL : EX_OK);
}

int deliver(const SendmailOptions& options, const flow::Settings& settings,
            const Console& console) {
    auto request = read_request(options, settings, console);
    if (!request) {
        return complain(console, request.error());
    }
    const auto outcomes = submit(*request);
    if (!outcomes) {
        return complain(console, outcomes.error());
    }
    std::string complaints;
    static_cast<void>(report_outcomes(*request, *outcomes, complaints));
    console.err(complaints);
    if (options.is_verbose) {
        console.out(accepted_reply(*outcomes) + "\n");
    }
    return exit_code_for(*outcomes);
}

/// Carries bytes between standard input and output and the server's socket until either ends.
int speak_smtp(const flow::Settings& settings, const Console& console) {
    auto server = UnixClient::connect(submit_socket(settings));
    if (!server) {
        return complain(console, server.error());
    }
    pollfd waits[2] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                       {.fd = server->descriptor(), .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waits, 2, -1) < 0) {
            continue;
        }
        if (waits[0].revents != 0) {
            char block[16384];
            const ssize_t count = ::read(STDIN_FILENO, block, sizeof block);
            if (count <= 0) {
                // The server still has answers to give.
                server->end_writing();
                waits[0].fd = -1;
            } else if (!server->write({block, static_cast<std::size_t>(count)})) {
                return EX_OK;
            }
        }
        if (waits[1].revents != 0) {
            const auto bytes = server->read_some(std::chrono::seconds(1));
            if (!bytes || bytes->empty() || !write_all(STDOUT_FILENO, *bytes)) {
                return EX_OK;
            }
        }
    }
}

int run_queue(const flow::Settings& settings, const Console& console) {
    auto client = AdminClient::open(settings);
    if (!client) {
        return complain(console, client.error());
    }
    std::string after;
    do {
        JsonWriter json;
        json.begin_object().field("all", true);
        if (!after.empty()) {
            json.field("after", after);
        }
        json.end_object();
        const auto done = client->call("queue.retry", json.view());
        if (!done) {
            return complain(console, done.error());
        }
        after = done->string_or("next", "");
    } while (!after.empty());
    return EX_OK;
}

int print_queue(const SendmailOptions& options, const Console& console) {
    std::vector<std::string> words = {"queue", "list"};
    if (!options.dir.empty()) {
        words.insert(words.end(), {"--dir", options.dir});
    }
    if (!options.config.empty()) {
        words.insert(words.end(), {"--config", options.config});
    }
    switch (run_command_line(command_table(), words, console)) {
        case kExitDone: return EX_OK;
        case kExitUsage: return EX_USAGE;
        case kExitRefused: return EX_UNAVAILABLE;
        default: return EX_TEMPFAIL;
    }
}

}  // namespace

int run_sendmail(const std::string& name, const std::vector<std::string>& words,
                 const Console& console) {
    if (words.size() == 1 && (words[0] == "--help" || words[0] == "-h")) {
        console.out(kHelp);
        return EX_OK;
    }
    const auto options = read_sendmail_options(name, words);
    if (!options) {
        console.err("sendmail: " + options.error().text + "\n" + std::string(kHelp));
        return EX_USAGE;
    }
    if (options->mode == SendmailMode::Nothing) {
        return EX_OK;
    }
    if (options->mode == SendmailMode::PrintQueue) {
        return print_queue(*options, console);
    }
    const auto settings = find_server(options->dir, options->config);
    if (!settings) {
        // Whatever is wrong with the server's folder: the message is not.
        console.err("sendmail: " + settings.error().text + "\n");
        return EX_TEMPFAIL;
    }
    switch (options->mode) {
        case SendmailMode::Smtp: return speak_smtp(*settings, console);
        case SendmailMode::RunQueue: return run_queue(*settings, console);
        default: return deliver(*options, *settings, console);
    }
}

}  // namespace godwit::app
