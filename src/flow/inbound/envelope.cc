#include "flow/inbound/envelope.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/probe.h"
#include "flow/forward/return_address.h"
#include "flow/read.h"
#include "mail/address/batv.h"
#include "mail/message/trace.h"

namespace godwit::flow {

namespace {

/// What is asked of the directory: values only, as the step may run on another thread.
struct Question {
    std::optional<mail::Address> sender;
    bool is_submission = false;
    std::set<std::string> archives;  ///< Those already known to be wanted.
    std::string default_domain;
};
struct Copy {
    mail::Address address;
    store::Recipient resolved;
};
struct Answer {
    std::string sender_domain;  ///< That answers for the sender's; empty: not one of ours.
    bool is_moved = false;      ///< Submitted mail is to say sender_domain.
    bool wants_tag = false;
    std::vector<Copy> copies;
};

Result<Answer> ask(const store::Snapshot& snapshot, store::ReadTier tier, Question question) {
    Answer answer;
    if (question.sender) {
        const std::string& name = question.sender->domain;
        const auto own = TRY(store::find_domain(snapshot, tier, name));
        const auto domain = TRY(store::answering_domain(snapshot, tier, name));
        if (own && domain) {
            answer.sender_domain = domain->name;
            answer.is_moved = question.is_submission && own->rewrites_senders;
            answer.wants_tag = question.is_submission && domain->tags_senders;
            if (question.is_submission && !domain->archive_outbound.empty()) {
                question.archives.insert(domain->archive_outbound);
            }
        }
    }
    for (const std::string& text : question.archives) {
        const auto address = mail::parse_address(text);
        if (!address || answer.copies.size() == archives_max) {
            log::error("archive.passed_over", {{"address", text}});
            continue;
        }
        store::Recipient resolved =
            TRY(store::resolve_recipient(snapshot, tier, *address, question.default_domain));
        if (resolved.verdict == store::RecipientVerdict::NotLocal) {
            resolved.targets = {store::RemoteTarget{.address = *address, .is_forwarded = true}};
        } else if (resolved.targets.empty()) {
            log::error("archive.leads_nowhere", {{"address", text}});
            continue;
        }
        for (store::Target& target : resolved.targets) {
            // What is sent back from there must not be archived again (G2).
            if (auto* remote = std::get_if<store::RemoteTarget>(&target);
                remote != nullptr && !remote->forwarder) {
                remote->forwarder = *address;
            }
        }
        answer.copies.push_back({.address = *address, .resolved = std::move(resolved)});
    }
    return answer;
}

Question question_of(const Settings& settings, const Arrival& arrival) {
    Question question{.sender = arrival.sender,
                      .is_submission = arrival.origin.is_submission,
                      .archives = {},
                      .default_domain = settings.default_domain};
    for (const ArrivalRecipient& recipient : arrival.recipients) {
        if (recipient.resolved.verdict == store::RecipientVerdict::Local) {
            question.archives.insert(settings.archive.inbound);
            question.archives.insert(recipient.resolved.archive);
        }
    }
    if (arrival.origin.is_submission) {
        question.archives.insert(settings.archive.outbound);
    }
    question.archives.erase("");
    return question;
}

bool has_remote(const Arrival& arrival, bool is_forwarded) {
    for (const ArrivalRecipient& recipient : arrival.recipients) {
        for (const store::Target& target : recipient.resolved.targets) {
            const auto* remote = std::get_if<store::RemoteTarget>(&target);
            if (remote != nullptr && remote->is_forwarded == is_forwarded &&
                !(is_forwarded && remote->owner)) {
                return true;
            }
        }
    }
    return false;
}

void add_archives(Arrival* arrival, std::vector<Copy> copies) {
    for (Copy& copy : copies) {
        if (mail::was_delivered_to(arrival->parsed.header, copy.address)) {
            probe<"archive.been_there">();
            continue;
        }
        ArrivalRecipient recipient;
        recipient.envelope.address = std::move(copy.address);
        // Nobody is told what becomes of a copy.
        recipient.envelope.parameters.notify.is_stated = true;
        recipient.resolved = std::move(copy.resolved);
        recipient.is_archive = true;
        arrival->recipients.push_back(std::move(recipient));
    }
}

}  // namespace

net::Task<Result<>> complete_envelope(const Services* services, Arrival* arrival) {
    const SettingsPtr settings = services->settings();
    Question question = question_of(*settings, *arrival);
    Answer answer = CO_TRY(
        co_await read(services, [question](const store::Snapshot& snapshot, store::ReadTier tier) {
            return ask(snapshot, tier, question);
        }));
    add_archives(arrival, std::move(answer.copies));
    if (!arrival->sender) {
        co_return Result<>();
    }
    if (answer.is_moved) {
        arrival->sender->domain = answer.sender_domain;
    }
    // Our own domains' mail keeps its reverse-path: a report finds its way without help.
    const bool wants_srs =
        settings->forwarding.srs && answer.sender_domain.empty() && has_remote(*arrival, true);
    const bool wants_tag =
        answer.wants_tag && (has_remote(*arrival, false) || has_remote(*arrival, true));
    if (!wants_srs && !wants_tag) {
        co_return Result<>();
    }
    const std::string secret = CO_TRY(co_await signing_secret(services));
    const std::int64_t now = unix_seconds(services->clock->wall());
    if (wants_tag) {
        arrival->tagged_sender = mail::batv_tag(*arrival->sender, secret, now);
        arrival->forwarding_sender = arrival->tagged_sender;
        co_return Result<>();
    }
    arrival->forwarding_sender =
        mail::srs_rewrite(*arrival->sender, srs_domain(*settings), secret, now);
    if (!arrival->forwarding_sender) {
        log::warn("forward.sender_too_long",
                  {{"id", arrival->mail}, {"from", arrival->sender->to_string()}});
    }
    co_return Result<>();
}

}  // namespace godwit::flow
