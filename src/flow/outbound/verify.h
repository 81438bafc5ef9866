// Would the server of a relay domain take this recipient? Asked while the client waits at RCPT, up
// to RCPT and no further, with the null reverse-path, and remembered: what does not exist is
// refused here and becomes no report to a forged sender. SMTP-BEHAVIOUR.md H8, G5.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/recent.h"
#include "flow/services.h"
#include "mail/address/address.h"
#include "net/io/locked.h"
#include "net/io/task.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// How long a client waits at RCPT: its own patience is five minutes (RFC 5321 4.5.3.2.3), a
/// person's is not. What comes later is there for the next time, as with Postfix's three polls.
inline constexpr std::chrono::seconds verify_patience(6);
/// What all recipients of one transaction may wait together: a group of a thousand must not keep
/// the client waiting past its five minutes.
inline constexpr std::chrono::seconds verify_transaction_max(30);
/// A question is given up after this, so that dead hosts hold no place for long.
inline constexpr std::chrono::seconds verify_time_max(60);
/// Questions at one time, in all and to one domain: a server is not to be flooded for ours.
inline constexpr std::size_t verify_at_once_max = 64;
inline constexpr std::size_t verify_at_once_per_domain_max = 4;
/// Answers remembered, some 300 octets each; those that exist and the others apart, so that
/// guessing does not push out what is known.
inline constexpr std::size_t verify_known_max = 16 * 1024;
/// Octets of the remote's words that are kept and told.
inline constexpr std::size_t verify_words_size_max = 200;
/// Who exists is asked again after a day; who does not after two hours, since a new mailbox is used
/// at once (Postfix: 7 days and 3 hours); who could not be asked about after a minute.
inline constexpr std::chrono::hours verify_exists_lifetime(24);
inline constexpr std::chrono::hours verify_unknown_lifetime(2);
inline constexpr std::chrono::seconds verify_undecided_lifetime(60);

enum class Existence : std::uint8_t {
    Exists,     ///< Its server would take it; or there is none to be asked, by configuration.
    Refused,    ///< Its server says 5xx to it.
    Undecided,  ///< 4xx, nobody there, or no answer yet.
};
struct VerifyAnswer {
    Existence existence = Existence::Undecided;
    std::string words;  ///< The remote's, or why there are none.
};

/// What the answer to a question means. A 5xx before RCPT or by policy
/// (5.7) is about us. Pure.
VerifyAnswer answer_of(const smtp::Outcome& outcome);

/// Any thread; outlives the sessions.
class RecipientVerifier {
public:
    /// Outlived by `services`, whose scheduler is there by the first question.
    explicit RecipientVerifier(const Services* services) : services_(services) {}
    /// Within `patience`, at most verify_patience; what is known is said at once.
    net::Task<VerifyAnswer> verify(mail::Address recipient, Duration patience = verify_patience);

private:
    struct Known {
        VerifyAnswer answer;
        MonoTime until{};
    };
    struct Book {
        Recent<std::string, Known> existing{verify_known_max};
        Recent<std::string, Known> others{verify_known_max};
        std::map<std::string, std::string> asked{};  ///< Now under way, with their domains.
    };
    std::optional<VerifyAnswer> known(const std::string& key, MonoTime now);
    /// True: it is under way, by this call or another.
    enum class Begun : std::uint8_t { Now, Before, NoRoom };
    Begun begin(const std::string& key, const std::string& domain);
    net::Task<void> ask(std::string key, mail::Address recipient);
    net::Task<VerifyAnswer> ask_hosts(mail::Address recipient);
    void settle(const std::string& key, VerifyAnswer answer);

    const Services* services_;
    net::Locked<Book> book_;
};

}  // namespace godwit::flow
