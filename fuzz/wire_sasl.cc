// SASL messages, one a line, to both ends: nobody gets in without the password.
#include <cstdint>

#include "base/ascii.h"
#include "wire/sasl/client_exchange.h"
#include "wire/sasl/saslprep.h"
#include "wire/sasl/server_exchange.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const auto mechanism = static_cast<sasl::Mechanism>(data[0] % 9);
    const sasl::ChannelBindings bindings{.tls_exporter = (data[0] & 8) != 0 ? "exporter" : "",
                                         .tls_server_end_point = "hash"};
    const auto lines =
        split(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), '\n');
    static const sasl::ScramKeys kKeys = sasl::scram_keys("no such secret", "salt", 4096);
    static const sasl::ScramKeys kSha1Keys =
        sasl::scram_keys("no such secret", "salt", 4096, sasl::ScramHash::Sha1);
    sasl::ServerExchange server(mechanism, {.bindings = bindings,
                                            .plus_announced = (data[0] & 16) != 0,
                                            .nonce = "nonce",
                                            .decoy_secret = "secret"});
    sasl::Step step = server.start((data[0] & 32) != 0 ? std::optional(lines[0]) : std::nullopt);
    for (const std::string_view line : lines) {
        if (std::holds_alternative<sasl::NeedPassword>(step)) {
            check(!std::get<sasl::NeedPassword>(step).password.empty(),
                  "a password is never empty");
            step = server.finish(sasl::Verdict::Denied);
        } else if (std::holds_alternative<sasl::NeedCertificate>(step) ||
                   std::holds_alternative<sasl::NeedToken>(step)) {
            step = server.finish(sasl::Verdict::Denied);
        } else if (const auto* wanted = std::get_if<sasl::NeedScramKeys>(&step)) {
            const auto& keys = wanted->hash == sasl::ScramHash::Sha1 ? kSha1Keys : kKeys;
            step = server.keys((data[0] & 64) != 0 ? std::optional(keys) : std::nullopt);
        }
        check(!std::holds_alternative<sasl::Done>(step) &&
                  !std::holds_alternative<sasl::Proved>(step),
              "nobody gets in");
        step = server.respond(line);
    }
    sasl::ClientExchange client({.mechanism = mechanism,
                                 .credentials = {.name = "n", .password = "p", .authzid = ""},
                                 .bindings = bindings,
                                 .nonce = "r"});
    (void)client.initial();
    const bool is_scram = sasl::row_of(mechanism).scram.has_value();
    for (const std::string_view line : lines) {
        (void)sasl::prepare(line, sasl::Preparation::Query);
        (void)sasl::parse_client_final(line, sasl::ScramHash::Sha256);
        (void)sasl::parse_client_first(line);
        // A large iteration count is the peer's to ask and costs time only: kept out of here.
        const auto first = sasl::parse_server_first(line);
        if (!first || first->iterations < 5000) {
            (void)client.respond(line);
        }
    }
    check(!is_scram || !client.may_succeed(), "the server cannot prove what it does not know");
    return 0;
}
