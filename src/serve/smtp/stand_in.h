// What a proxy or a content filter said about the client it speaks for: XCLIENT, XFORWARD.
#pragma once

#include <optional>
#include <string>

#include "flow/services.h"
#include "net/io/endpoint.h"
#include "net/io/task.h"
#include "serve/login/login.h"
#include "wire/smtp/client_facts.h"
#include "wire/smtp/reply.h"

namespace godwit::serve {

/// Instead of the connection's own. What is not set holds as it was.
struct StandIn {
    std::optional<net::Endpoint> peer;
    std::string name;  ///< The client's host name; empty: not known.
    std::optional<LoggedIn> login;
};

struct StandInAnswer {
    std::optional<smtp::Reply> refusal;  ///< 501 or 451.
    StandIn client{};
};

/// `before` with what XCLIENT says now. LOGIN names an account of ours, which is logged in without
/// a password: its proxy has seen to that. An address that is not known keeps the one before.
net::Task<StandInAnswer> stand_in(const flow::Services* services, smtp::ClientFacts facts,
                                  StandIn before, net::Endpoint connection);

/// "192.0.2.1:4711" of what XFORWARD said, for logs and traces; "local" when its ADDR is not known:
/// mail that began at the other end (XFORWARD_README).
std::string forwarded_peer(const smtp::ClientFacts& facts);

}  // namespace godwit::serve
