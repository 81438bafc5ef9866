// Mail that waits for its own server to ask for it: what a request means, who may make it, and how
// ETRN sets delivery going. ATRN finds its mail here too and carries it itself: turned.h.
// RFC 1985; RFC 2645.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flow/policy/recent_table.h"
#include "flow/policy/relay_domains.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "net/io/task.h"
#include "store/queue/queue.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// A request looks through the whole queue. A server behind a line that comes and goes asks once
/// each time it comes; fetchmail asks for each of its domains, and a script for some dozens.
inline constexpr std::uint32_t mail_requests_per_minute_max = 60;
/// Requests at work; a queue of a million messages takes some seconds of one core.
inline constexpr std::uint32_t mail_requests_at_once_max = 4;
/// Turns under way, of one account and of all: each has a connection, and may last long.
inline constexpr std::uint32_t turns_per_account_max = 2;
inline constexpr std::uint32_t turns_at_once_max = 64;
/// Deliveries let go in one commit.
inline constexpr std::size_t mail_request_batch_max = 64;

/// Counts requests, by account or address. Any thread.
class RequestGuard {
public:
    /// A request at work, as long as it lives.
    class Permit {
    public:
        Permit() = default;
        /// `turn`: the account whose turn it is; empty: a request.
        Permit(RequestGuard* guard, std::string turn) : guard_(guard), turn_(std::move(turn)) {}
        Permit(Permit&& other) noexcept
            : guard_(std::exchange(other.guard_, nullptr)), turn_(std::move(other.turn_)) {}
        Permit& operator=(Permit&& other) noexcept {
            std::swap(guard_, other.guard_);
            std::swap(turn_, other.turn_);
            return *this;
        }
        ~Permit();
        explicit operator bool() const { return guard_ != nullptr; }

    private:
        RequestGuard* guard_ = nullptr;
        std::string turn_;
    };
    /// Empty: too many of this name lately, or of all now.
    Permit begin(const std::string& name, MonoTime now);
    /// For as long as a turn lasts. Empty: too many of this account or of all now.
    Permit begin_turn(const std::string& account);

private:
    struct Asked {
        double count = 0;
        MonoTime at{};
    };
    struct Book {
        RecentTable<Asked> by_name;
        std::uint32_t at_work = 0;
        std::map<std::string, std::uint32_t> turns;  ///< By account; at most turns_at_once_max.
        std::uint32_t turns_in_all = 0;
    };
    net::Locked<Book> book_;
};

/// What is asked for: one of these.
struct RequestedSites {
    std::string domain{};  ///< Normalised.
    bool has_subdomains = false;
    std::string queue{};           ///< "x" of "#x".
    bool is_all_of_asker = false;  ///< ATRN without domains.
};
/// Whether mail to `site` is meant, and `asker` may have it. Pure.
bool is_requested(const Settings& settings, const RequestedSites& sites, const MailAsker& asker,
                  std::string_view site);

/// One delivery that was asked for.
struct RequestedDelivery {
    MailId mail;
    store::QueueDelivery delivery;
};
struct RequestPage {
    std::vector<RequestedDelivery> deliveries;
    MailId last;
    bool is_last = true;
};
struct MailRequest {
    std::vector<RequestedSites> sites;
    MailAsker asker;
    /// Held by nobody but for a request; what waits for another time or for an operator is not
    /// meant.
    [[nodiscard]] bool covers(const Settings& settings, const store::QueueMessage& message,
                              const store::QueueDelivery& delivery, WallTime now) const;
};
/// What of the messages behind `after` is asked for; of a bounded number of them.
net::Task<Result<RequestPage>> find_requested(const Services* services, MailRequest request,
                                              MailId after);

/// As it stood in the command.
struct Etrn {
    char option = 0;  ///< '@', '#' or 0.
    std::string node;
};
/// The reply to ETRN. What is asked for is due now, durably, when it is 253; deliveries begin.
net::Task<smtp::Reply> answer_etrn(const Services* services, Etrn etrn, MailAsker asker);

}  // namespace godwit::flow
