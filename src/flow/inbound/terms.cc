#include "flow/inbound/terms.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/text/timestamp.h"

namespace godwit::flow {

namespace {

int priority_max(const TermsAsker& asker) {
    if (asker.is_beside_us || asker.service == smtp::Service::Lmtp) {
        return store::mail_priority_max;
    }
    return asker.is_logged_in ? users_priority_max : 0;
}

// RFC 8689 3: "No" is the one thing it may say.
bool says_tls_optional(const mail::ParsedMessage& parsed) {
    const auto value = parsed.index.value(parsed.header, "TLS-Required");
    return value && equals_ignore_case(*value, "No");
}

}  // namespace

std::string stated_solicitation(const Arrival& arrival) {
    if (!arrival.parameters.solicit.empty()) {
        return arrival.parameters.solicit;
    }
    std::string said;
    for (const char c : arrival.parsed.index.value(arrival.parsed.header, "Solicitation")
                            .value_or(std::string())) {
        if (c != ' ' && c != '\t') {
            said += c;
        }
    }
    return smtp::parse_solicitation(said) ? said : "";
}

std::optional<smtp::Reply> refuse_solicitation(const std::vector<std::string>& unwanted,
                                               std::string_view stated) {
    const auto keywords = smtp::parse_solicitation(stated);
    if (!keywords || unwanted.empty()) {
        return std::nullopt;
    }
    for (const std::string& keyword : *keywords) {
        if (std::ranges::any_of(unwanted, [&keyword](const std::string& each) {
                return equals_ignore_case(each, keyword);
            })) {
            return smtp::make_reply(550, {5, 7, 1}, "Not wanted here: SOLICIT=" + keyword);
        }
    }
    return std::nullopt;
}

std::optional<WallTime> release_time(const smtp::MailParameters& asked, WallTime now) {
    if (asked.hold_for) {
        return now + std::chrono::seconds(*asked.hold_for);
    }
    // What should have been released already is released now.
    return asked.hold_until ? std::optional(std::max(from_unix_seconds(*asked.hold_until), now))
                            : std::nullopt;
}

WallTime end_of_life(const smtp::MailParameters& asked, WallTime now,
                     std::chrono::seconds lifetime) {
    const WallTime end = release_time(asked, now).value_or(now) + lifetime;
    const bool is_bounded = asked.by && asked.by->mode == smtp::ByTime::Mode::Return;
    return is_bounded ? std::min<WallTime>(end, now + std::chrono::seconds(asked.by->seconds))
                      : end;
}

Terms grant_terms(const smtp::MailParameters& asked, const TermsAsker& asker) {
    Terms terms;
    const bool is_far_off =
        (asked.hold_for && *asked.hold_for > hold_max.count()) ||
        (asked.hold_until && *asked.hold_until > unix_seconds(asker.now) + hold_max.count());
    if (is_far_off) {
        terms.refusal = smtp::make_reply(
            501, {5, 5, 4},
            "Mail is held for " + std::to_string(hold_max.count()) + " seconds at most, until " +
                mail::format_timestamp(unix_seconds(asker.now) + hold_max.count()));
        return terms;
    }
    terms.refusal = refuse_solicitation(asker.unwanted, asked.solicit);
    if (asked.priority) {
        terms.priority = std::min(*asked.priority, priority_max(asker));
        if (terms.priority != asked.priority) {
            // RFC 6710 4.1: strangers must not push themselves forward.
            terms.note = smtp::make_reply(
                250, {2, 3, 6},
                std::to_string(*terms.priority) + " is the new priority assigned to the message");
        }
    }
    return terms;
}

void keep_terms(store::QueueMessage& message, const Arrival& arrival, WallTime now,
                std::chrono::seconds lifetime) {
    const smtp::MailParameters& asked = arrival.parameters;
    message.is_binary = asked.body == smtp::BodyType::BinaryMime;
    message.has_long_lines = arrival.has_long_lines;
    message.require_tls = asked.require_tls;
    // RFC 8689 4.1: REQUIRETLS overrules the field.
    message.tls_optional = !asked.require_tls && says_tls_optional(arrival.parsed);
    message.priority = asked.priority;
    message.auth = asked.auth;
    message.solicit = stated_solicitation(arrival);
    message.release_at = release_time(asked, now);
    message.expires_at = end_of_life(asked, now, lifetime);
    if (asked.by) {
        store::DeliverBy by;
        by.deadline = now + std::chrono::seconds(asked.by->seconds);
        by.mode = asked.by->mode == smtp::ByTime::Mode::Return ? store::DeliverBy::Mode::Return
                                                               : store::DeliverBy::Mode::Notify;
        by.is_traced = asked.by->is_traced;
        message.deliver_by = by;
    }
}

}  // namespace godwit::flow
