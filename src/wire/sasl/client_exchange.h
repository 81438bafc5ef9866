// One authentication exchange as the client sees it (a smart host, our own submission client).
// RFC 4616, RFC 5802, RFC 7677. Pure: the nonce is an argument.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/sasl/mechanism.h"
#include "wire/sasl/scram.h"

namespace godwit::sasl {

struct Credentials {
    std::string name;
    std::string password;
    std::string authzid;     ///< Empty: none is sent.
    std::string token = {};  ///< An access token, which is shown instead of the password.
    std::string host = {};   ///< The server as we call it, and its port: OAUTHBEARER says them.
    std::uint16_t port = 0;  ///< 0: it is not said.
};

/// The strongest mechanism that the peer offers and that may be used here; nullopt when none.
/// With bindings at hand -PLUS is taken first (RFC 5802 6). With a token that is shown, and no
/// password, whatever else is offered.
std::optional<Mechanism> choose_mechanism(const std::vector<std::string>& offered,
                                          bool passwords_allowed, const ChannelBindings& bindings,
                                          bool has_token = false);

class ClientExchange {
public:
    struct Options {
        Mechanism mechanism = Mechanism::Plain;
        Credentials credentials;
        ChannelBindings bindings;
        std::string nonce;  ///< As in ExchangeOptions.
    };
    explicit ClientExchange(Options options);
    /// The initial response, or nullopt when the mechanism waits for the server (LOGIN).
    std::optional<std::string> initial();
    /// The answer to a decoded challenge. SCRAM costs the server's iteration count, bounded by
    /// limits::scram_iterations_max. A Peer error ends the exchange: cancel with "*".
    Result<std::string> respond(std::string_view challenge);
    /// True when the server has proved itself too, or need not: success may be believed.
    [[nodiscard]] bool may_succeed() const;

private:
    [[nodiscard]] ScramHash scram_hash() const;
    [[nodiscard]] std::string bearer_initial() const;
    Result<std::string> on_login(std::string_view challenge);
    Result<std::string> on_server_first(std::string_view challenge);
    Result<std::string> on_server_final(std::string_view challenge);

    Options options_;
    int step_ = 0;
    bool server_proved_ = false;
    std::string gs2_header_;
    std::string first_bare_;
    std::string server_signature_;
};

}  // namespace godwit::sasl
