#include "flow/outbound/hop_address.h"

#include <tuple>

namespace godwit::flow {

bool HopAddress::operator==(const HopAddress& other) const {
    const auto all = [](const HopAddress& hop) {
        return std::tie(hop.host, hop.port, hop.is_lmtp, hop.tls, hop.username, hop.password,
                        hop.token_file, hop.source_v4, hop.source_v6, hop.hello, hop.is_configured,
                        hop.policy);
    };
    return all(*this) == all(other);
}

TlsWish tls_wish(const store::QueueMessage& message) {
    if (message.require_tls && !message.sender.empty()) {
        return TlsWish::Required;
    }
    return message.tls_optional ? TlsWish::Optional : TlsWish::Usual;
}

net::Task<void> decide_hop_tls(const Services* services, HopAddress* hop, std::string domain,
                               TlsWish wish) {
    TlsQuestion question;
    hop->domain = domain;
    question.domain = std::move(domain);
    question.host = hop->host;
    question.port = hop->port;
    question.wish = wish;
    if (hop->is_configured) {
        question.route = hop->tls;
    }
    hop->policy = co_await decide_tls(services, std::move(question));
}

AttemptTls wanted_tls(const HopAddress& hop) {
    AttemptTls tls;
    if (hop.policy) {
        tls.policy = to_string(hop.policy->level);
        tls.origin = hop.policy->origin;
    }
    return tls;
}

}  // namespace godwit::flow
