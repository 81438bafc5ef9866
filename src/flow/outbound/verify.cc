#include "flow/outbound/verify.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ascii.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/outbound/hop_walk.h"
#include "flow/outbound/remote.h"
#include "flow/outbound/route.h"
#include "flow/outbound/scheduler.h"
#include "net/io/shard.h"

namespace godwit::flow {

namespace {

// While an answer is on its way. It is found by looking: whoever asks may be on any shard.
constexpr std::chrono::milliseconds kLook(50);

std::string words_of(const smtp::Reply& reply) {
    return smtp::to_string(reply).substr(0, verify_words_size_max);
}

// RFC 3463 3.8, X.7: policy, blocklists; nothing is said of the recipient.
bool is_about_us(const smtp::Reply& reply) {
    return reply.enhanced && reply.enhanced->subject == 7;
}

Duration lifetime_of(Existence existence) {
    switch (existence) {
        case Existence::Exists: return verify_exists_lifetime;
        case Existence::Refused: return verify_unknown_lifetime;
        case Existence::Undecided: break;
    }
    return verify_undecided_lifetime;
}

}  // namespace

VerifyAnswer answer_of(const smtp::Outcome& outcome) {
    VerifyAnswer answer{.words = words_of(outcome.reply)};
    if (outcome.kind == smtp::OutcomeKind::Delivered) {
        answer.existence = Existence::Exists;
    } else if (outcome.kind == smtp::OutcomeKind::Permanent && !outcome.is_local &&
               outcome.stage == smtp::Stage::Rcpt && !is_about_us(outcome.reply)) {
        answer.existence = Existence::Refused;
    }
    return answer;
}

std::optional<VerifyAnswer> RecipientVerifier::known(const std::string& key, MonoTime now) {
    return book_.with([&](Book& book) -> std::optional<VerifyAnswer> {
        for (Recent<std::string, Known>* each : {&book.existing, &book.others}) {
            if (const Known* found = each->find(key); found != nullptr && found->until > now) {
                return found->answer;
            }
        }
        return std::nullopt;
    });
}

RecipientVerifier::Begun RecipientVerifier::begin(const std::string& key,
                                                  const std::string& domain) {
    return book_.with([&](Book& book) {
        if (book.asked.contains(key)) {
            return Begun::Before;
        }
        const auto of_domain = std::ranges::count(
            book.asked, domain, &std::pair<const std::string, std::string>::second);
        if (book.asked.size() >= verify_at_once_max ||
            static_cast<std::size_t>(of_domain) >= verify_at_once_per_domain_max) {
            return Begun::NoRoom;
        }
        book.asked.emplace(key, domain);
        return Begun::Now;
    });
}

void RecipientVerifier::settle(const std::string& key, VerifyAnswer answer) {
    const MonoTime until = services_->clock->mono() + lifetime_of(answer.existence);
    book_.with([&](Book& book) {
        const bool exists = answer.existence == Existence::Exists;
        book.asked.erase(key);
        (exists ? book.others : book.existing).erase(key);
        (exists ? book.existing : book.others).set(key, {std::move(answer), until});
        return 0;
    });
}

net::Task<VerifyAnswer> RecipientVerifier::ask_hosts(mail::Address recipient) {
    const SettingsPtr settings = services_->settings();
    const std::string domain = to_lower(recipient.domain);
    const std::string name = recipient.to_string();
    const NextHop hop =
        decide_next_hop(*settings, {.domain = domain, .recipient = name, .sender = ""});
    const auto* relay = std::get_if<RelayHop>(&hop);
    if (relay == nullptr) {
        co_return VerifyAnswer{Existence::Exists, "its route asks nobody"};
    }
    const EgressSettings* egress = choose_egress(*settings, relay->egress, "", MailId{});
    HopWalk walk(services_, *relay, egress, &services_->scheduler->outlets());
    const MonoTime give_up_at = services_->clock->mono() + verify_time_max;
    VerifyAnswer last;
    bool is_any_tried = false;
    co_await walk.look_up();
    while (auto host = co_await walk.next_host(std::nullopt)) {
        co_await decide_hop_tls(services_, &*host, domain, TlsWish::Usual);
        host->give_up_at = give_up_at;
        const std::vector<net::Endpoint> endpoints = co_await walk.endpoints(*host);
        for (const net::Endpoint& at : endpoints) {
            if (services_->clock->mono() >= give_up_at) {
                co_return last;
            }
            is_any_tried = true;
            auto session = co_await RemoteSession::open(services_, *host, at);
            if (!session) {
                last = answer_of(session.error());
                continue;
            }
            const smtp::Outcome said = co_await (*session)->ask("", recipient);
            co_await (*session)->close();
            last = answer_of(said);
            // Who was reached has said what there is to say (E10).
            if (!said.is_local) {
                co_return last;
            }
        }
    }
    if (!is_any_tried) {
        last.words = words_of(walk.dead_end(Duration{}));
    }
    co_return last;
}

net::Task<void> RecipientVerifier::ask(std::string key, mail::Address recipient) {
    VerifyAnswer answer = co_await ask_hosts(std::move(recipient));
    log::info("smtp.recipient_verified",
              {{"exists", answer.existence == Existence::Exists    ? "yes"
                          : answer.existence == Existence::Refused ? "no"
                                                                   : "undecided"},
               {"words", answer.words}});
    settle(key, std::move(answer));
}

net::Task<VerifyAnswer> RecipientVerifier::verify(mail::Address recipient, Duration patience) {
    const std::string key = mail::account_key(recipient);
    const MonoTime end = services_->clock->mono() + std::min<Duration>(patience, verify_patience);
    if (auto answer = known(key, services_->clock->mono())) {
        probe<"outbound.verified_before">();
        co_return *std::move(answer);
    }
    const std::string domain = to_lower(recipient.domain);
    bool is_asked = false;
    for (;;) {
        if (!is_asked) {
            const Begun begun = begin(key, domain);
            is_asked = begun != Begun::NoRoom;
            if (begun == Begun::Now) {
                mail::Address question = recipient;
                net::spawn(net::Shard::here(), "recipient.verify", ask(key, std::move(question)));
            }
        }
        if (auto answer = known(key, services_->clock->mono())) {
            co_return *std::move(answer);
        }
        if (services_->clock->mono() >= end) {
            is_asked ? probe<"outbound.verify_takes_long">() : probe<"outbound.verify_no_room">();
            co_return VerifyAnswer{Existence::Undecided, is_asked
                                                             ? "its server has not answered yet"
                                                             : "too many are being verified now"};
        }
        co_await net::sleep_for(kLook);
    }
}

}  // namespace godwit::flow
