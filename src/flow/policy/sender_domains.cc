#include "flow/policy/sender_domains.h"

#include "base/probe.h"
#include "flow/services.h"
#include "mail/address/domain.h"
#include "net/resolver/resolver.h"

namespace godwit::flow {

std::optional<bool> SenderDomains::takes_none(const std::string& domain, MonoTime now) {
    return table_.with([&](RecentTable<Answer>& table) -> std::optional<bool> {
        const Answer* answer = table.find(domain);
        return answer != nullptr && now < answer->until ? std::optional(answer->takes_none)
                                                        : std::nullopt;
    });
}

void SenderDomains::learn(const std::string& domain, bool takes_none, MonoTime now) {
    table_.with([&](RecentTable<Answer>& table) {
        table.touch(domain) = {.takes_none = takes_none, .until = now + sender_domain_memory};
    });
}

net::Task<std::optional<smtp::Reply>> refuse_unanswerable(const Services* services,
                                                          mail::Address sender) {
    const bool is_asked = services->settings()->inbound.check_sender_domain &&
                          services->resolver != nullptr && services->sender_domains != nullptr &&
                          !mail::is_address_literal(sender.domain);
    if (!is_asked) {
        co_return std::nullopt;
    }
    const std::string domain = sender.domain;
    std::optional<bool> takes_none =
        services->sender_domains->takes_none(domain, services->clock->mono());
    if (!takes_none) {
        const Result<net::MxAnswer> answer = co_await services->resolver->mx(domain);
        // Silence is remembered too: who asks again at once would wait again.
        takes_none = answer && answer->is_null_mx;
        services->sender_domains->learn(domain, *takes_none, services->clock->mono());
    }
    if (!*takes_none) {
        co_return std::nullopt;
    }
    probe<"inbound.sender_takes_no_mail">();
    co_return smtp::make_reply(550, {5, 7, 27},
                               "The domain of <" + sender.to_string() + "> takes no mail");
}

}  // namespace godwit::flow
