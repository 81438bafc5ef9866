// The command line of sendmail(8), as programs use it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/smtp/envelope.h"

namespace godwit::app {

enum class SendmailMode : std::uint8_t {
    Deliver,     ///< -bm, and when nothing else is said.
    PrintQueue,  ///< -bp, or called as mailq.
    Smtp,        ///< -bs: SMTP on standard input and output.
    RunQueue,    ///< -q: what waits is tried at once.
    Nothing,     ///< -bi, or called as newaliases: there is nothing to rebuild.
};

struct SendmailOptions {
    SendmailMode mode = SendmailMode::Deliver;
    bool recipients_from_header = false;  ///< -t
    bool dot_is_text = false;             ///< -i, -oi: a line of "." does not end the message.
    bool is_verbose = false;              ///< -v
    std::optional<std::string> sender;    ///< -f, -r; "" or "<>" is the null sender.
    std::string full_name;                ///< -F
    smtp::Notify notify;                  ///< -N
    smtp::DsnReturn ret = smtp::DsnReturn::Unstated;  ///< -R
    std::optional<std::string> envid;                 ///< -V
    std::vector<std::string> recipients;
    std::string dir;     ///< --dir: whose submit.sock.
    std::string config;  ///< --config
};

/// `name` is what the program was called by: "sendmail", "mailq", "newaliases". Options without a
/// meaning here (-oem, -odb, -B8BITMIME, -L tag, -h hops ...) are taken and ignored.
Result<SendmailOptions> read_sendmail_options(const std::string& name,
                                              const std::vector<std::string>& words);

/// Cuts the message at a line of "." alone (RFC 5321 has nothing to say: this is the old custom of
/// terminals), unless dots are text.
std::string cut_at_dot(std::string text, const SendmailOptions& options);

}  // namespace godwit::app
