// Ownership for OpenSSL's objects and the insides of the contexts. Private to net/tls.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/io/swap_cell.h"
#include "net/tls/context.h"

namespace godwit::net {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
inline void free_x509_stack(STACK_OF(X509) * stack) {
    sk_X509_pop_free(stack, X509_free);
}
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), FreeWith<free_x509_stack>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// The newest error of this thread's queue, which it empties.
std::string openssl_error();
/// A read-only BIO over `text`, which outlives it.
BioPtr memory_bio(std::string_view text);
/// DNS names and IP addresses of a certificate, lower case; the common name when there are none.
std::vector<std::string> certificate_names(X509* certificate);

/// Mail addresses of a certificate: TlsSession::client_addresses().
std::vector<std::string> certificate_addresses(X509* certificate);

/// Immutable once built; shared by handshakes in progress and the cell.
struct TlsCertificates::Set {
    struct Entry {
        X509Ptr leaf;
        X509StackPtr chain;
        KeyPtr key;
    };
    std::vector<Entry> entries;
    // Several entries of one name differ in key type (RSA beside ECDSA).
    std::unordered_map<std::string, std::vector<std::size_t>> by_name;
    /// For the exact name, else "*." and the rest, else those of the first certificate.
    [[nodiscard]] std::vector<std::size_t> select(std::string_view name) const;
};
struct TlsCertificates::State {
    SwapCell<Set> cell;
};
struct TlsServerContext::State {
    const TlsCertificates* certificates = nullptr;
    Options options;
    SslContextPtr ssl;
};
class SharedSessions;

struct TlsClientContext::State {
    SslContextPtr ssl;
    std::shared_ptr<SharedSessions> sessions;  // One owner; shared only to be of a type named here.
};

}  // namespace godwit::net
