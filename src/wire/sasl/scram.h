// SCRAM-SHA-256 and SCRAM-SHA-1: keys, proofs and the messages of the exchange, for both sides.
// Pure. RFC 5802 3 (algorithm), 5.1 (attributes), 7 (grammar); RFC 7677 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/sasl/mechanism.h"

namespace godwit::sasl {

/// What a server keeps of a password for SCRAM. Enough to verify, not enough to log in.
struct ScramKeys {
    std::string salt;
    std::uint32_t iterations = 0;
    std::string stored_key;  ///< H(ClientKey): hash_size(hash) bytes.
    std::string server_key;  ///< As many.
    ScramHash hash = ScramHash::Sha256;
};

/// Of keys, proofs and signatures: 32 or 20 bytes.
std::size_t hash_size(ScramHash hash);

/// `password` is already prepared (saslprep.h). Costs `iterations` HMACs: off the event loop.
ScramKeys scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations,
                     ScramHash hash = ScramHash::Sha256);

/// True when `keys` were made from `password`. Constant time in the compared bytes.
bool scram_matches(const ScramKeys& keys, std::string_view password);

/// The keys shown for a name nobody has: the same for the same name, so that asking twice tells
/// nothing. `secret` is the server's own and constant. No proof fits them.
ScramKeys scram_decoy(std::string_view secret, std::string_view name, std::uint32_t iterations,
                      ScramHash hash = ScramHash::Sha256);

/// client-first-message, RFC 5802 7.
struct ScramClientFirst {
    enum class Binding : std::uint8_t { NotSupported, NotUsed, Used };  ///< n, y, p
    Binding binding = Binding::NotSupported;
    std::string binding_type;  ///< With Used: the cb-name.
    std::string gs2_header;    ///< As sent, for "c=".
    std::string authzid;       ///< Unescaped; empty when absent.
    std::string name;          ///< Unescaped.
    std::string nonce;
    std::string bare;  ///< client-first-message-bare, as sent.
};
struct ScramServerFirst {
    std::string nonce;
    std::string salt;
    std::uint32_t iterations = 0;
};
struct ScramClientFinal {
    std::string channel_binding;  ///< Decoded "c=".
    std::string nonce;
    std::string proof;          ///< Decoded, hash_size() bytes.
    std::string without_proof;  ///< As sent, for AuthMessage.
};

Result<ScramClientFirst> parse_client_first(std::string_view message);
/// Refuses iteration counts outside limits::scram_iterations_{min,max}.
Result<ScramServerFirst> parse_server_first(std::string_view message);
Result<ScramClientFinal> parse_client_final(std::string_view message, ScramHash hash);
/// The decoded ServerSignature; a Peer error with the server's "e=" text otherwise.
Result<std::string> parse_server_final(std::string_view message, ScramHash hash);

/// ',' and '=' as =2C and =3D.
std::string escape_name(std::string_view name);
/// nullopt when '=' is followed by anything else (RFC 5802 5.1).
std::optional<std::string> unescape_name(std::string_view text);

/// The client's side of RFC 5802 3.
struct ScramProof {
    std::string proof;
    std::string server_signature;  ///< What the server must answer.
};
/// Costs `iterations` HMACs.
ScramProof make_proof(ScramHash hash, std::string_view password, const ScramServerFirst& first,
                      std::string_view auth_message);

/// ServerSignature if `proof` fits, nullopt otherwise.
std::optional<std::string> verify_proof(const ScramKeys& keys, std::string_view auth_message,
                                        std::string_view proof);

}  // namespace godwit::sasl
