#include "net/tls/context.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "net/io/endpoint.h"
#include "net/tls/openssl.h"
#include "net/tls/session_store.h"

namespace godwit::net {

std::string openssl_error() {
    std::string text = "unknown OpenSSL error";
    while (unsigned long code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        text = reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
    }
    return text;
}

BioPtr memory_bio(std::string_view text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// --- certificates -----------------------------------------------------------------------------

Result<std::string> read_pem_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return internal_error(ErrorCode::NotFound, path + " cannot be read");
    }
    std::string text;
    std::array<char, 4096> piece{};
    while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
        text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > limits::tls_pem_size_max) {
            return internal_error(ErrorCode::LimitExceeded,
                                  path + " exceeds " + std::to_string(limits::tls_pem_size_max) +
                                      " bytes (limits.h: tls_pem_size_max)");
        }
    }
    return text;
}

Result<TlsCertificate> read_tls_certificate(const std::string& chain_file,
                                            const std::string& key_file) {
    TlsCertificate made;
    made.chain_pem = TRY(read_pem_file(chain_file));
    made.key_pem = TRY(read_pem_file(key_file));
    return made;
}

namespace {

std::string asn1_text(const ASN1_STRING* text) {
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
}

WallTime asn1_time(const ASN1_TIME* time) {
    std::tm parts{};
    ASN1_TIME_to_tm(time, &parts);
    return from_unix_seconds(timegm(&parts));
}

Result<TlsCertificates::Set::Entry> load_entry(const TlsCertificate& certificate) {
    TlsCertificates::Set::Entry entry;
    BioPtr chain = memory_bio(certificate.chain_pem);
    entry.leaf.reset(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    if (!entry.leaf) {
        return internal_error(ErrorCode::Invalid,
                              "no certificate in the PEM text: " + openssl_error());
    }
    entry.chain.reset(sk_X509_new_null());
    while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
        if (sk_X509_num(entry.chain.get()) >= static_cast<int>(limits::tls_chain_size_max)) {
            X509_free(next);
            return internal_error(ErrorCode::LimitExceeded,
                                  "more certificates in a chain than limits.h: tls_chain_size_max");
        }
        sk_X509_push(entry.chain.get(), next);
    }
    BioPtr key = memory_bio(certificate.key_pem);
    // An empty pass phrase instead of a prompt on the terminal.
    entry.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, const_cast<char*>("")));
    if (!entry.key) {
        return internal_error(ErrorCode::Invalid,
                              "no private key in the PEM text: " + openssl_error());
    }
    ERR_clear_error();
    if (X509_check_private_key(entry.leaf.get(), entry.key.get()) != 1) {
        return internal_error(ErrorCode::Invalid,
                              "the private key is not the certificate's: " + openssl_error());
    }
    if (EVP_PKEY_get_base_id(entry.key.get()) == EVP_PKEY_RSA &&
        EVP_PKEY_get_bits(entry.key.get()) < 2048) {
        return internal_error(ErrorCode::Invalid,
                              "an RSA key has at least 2048 bits, this one " +
                                  std::to_string(EVP_PKEY_get_bits(entry.key.get())));
    }
    return entry;
}

}  // namespace

std::vector<std::string> certificate_names(X509* certificate) {
    std::vector<std::string> names;
    std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> list(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
        if (name->type == GEN_DNS) {
            names.push_back(to_lower(asn1_text(name->d.dNSName)));
        } else if (name->type == GEN_IPADD) {
            if (auto address = IpAddress::from_bytes(asn1_text(name->d.iPAddress))) {
                names.push_back(address->to_string());
            }
        }
    }
    if (names.empty()) {
        std::array<char, 256> text{};
        if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                      text.data(), text.size()) > 0) {
            names.push_back(to_lower(std::string_view(text.data())));
        }
    }
    return names;
}

std::vector<std::string> certificate_addresses(X509* certificate) {
    std::vector<std::string> addresses;
    std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> list(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0;
         list && i < sk_GENERAL_NAME_num(list.get()) && addresses.size() < tls_client_addresses_max;
         ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
        std::string address;
        if (name->type == GEN_EMAIL) {
            address = asn1_text(name->d.rfc822Name);
        } else if (name->type == GEN_OTHERNAME &&
                   OBJ_obj2nid(name->d.otherName->type_id) == NID_id_on_SmtpUTF8Mailbox &&
                   name->d.otherName->value->type == V_ASN1_UTF8STRING) {
            address = asn1_text(name->d.otherName->value->value.utf8string);
        }
        // A NUL would end it elsewhere: "alice@here\0.evil".
        if (address.find('@') != std::string::npos && address.find('\0') == std::string::npos) {
            addresses.push_back(std::move(address));
        }
    }
    return addresses;
}

Result<CertificateFacts> certificate_facts(std::string_view chain_pem) {
    BioPtr bio = memory_bio(chain_pem);
    X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!leaf) {
        return internal_error(ErrorCode::Invalid,
                              "no certificate in the PEM text: " + openssl_error());
    }
    CertificateFacts facts;
    facts.names = certificate_names(leaf.get());
    facts.not_before = asn1_time(X509_get0_notBefore(leaf.get()));
    facts.not_after = asn1_time(X509_get0_notAfter(leaf.get()));
    BioPtr out(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(out.get(), X509_get_issuer_name(leaf.get()), 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    long size = BIO_get_mem_data(out.get(), &text);
    facts.issuer.assign(text, static_cast<std::size_t>(size));
    return facts;
}

std::vector<std::size_t> TlsCertificates::Set::select(std::string_view name) const {
    std::string lower = to_lower(name);
    auto found = by_name.find(lower);
    if (found == by_name.end()) {
        std::size_t dot = lower.find('.');
        if (dot != std::string::npos) {
            found = by_name.find("*" + lower.substr(dot));
        }
    }
    if (found != by_name.end()) {
        return found->second;
    }
    return entries.empty() ? std::vector<std::size_t>{} : std::vector<std::size_t>{0};
}

TlsCertificates::TlsCertificates() : state_(std::make_unique<State>()) {
    state_->cell.store(std::make_shared<Set>());
}
TlsCertificates::~TlsCertificates() = default;

Result<std::shared_ptr<const TlsCertificates::Set>> TlsCertificates::load(
    const std::vector<TlsCertificate>& certificates) {
    auto set = std::make_shared<Set>();
    for (const TlsCertificate& certificate : certificates) {
        Set::Entry entry = TRY(load_entry(certificate));
        for (const std::string& name : certificate_names(entry.leaf.get())) {
            set->by_name[name].push_back(set->entries.size());
        }
        set->entries.push_back(std::move(entry));
    }
    return set;
}

void TlsCertificates::take(std::shared_ptr<const Set> set) {
    state_->cell.store(std::move(set));
}

Result<> TlsCertificates::replace(const std::vector<TlsCertificate>& certificates) {
    take(TRY(load(certificates)));
    return {};
}

bool TlsCertificates::is_empty() const {
    return current()->entries.empty();
}
std::shared_ptr<const TlsCertificates::Set> TlsCertificates::current() const {
    return state_->cell.load();
}

// --- contexts ---------------------------------------------------------------------------------

namespace {

int choose_certificate(SSL* ssl, void* argument) {
    const auto* state = static_cast<const TlsServerContext::State*>(argument);
    auto set = state->certificates->current();
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    std::vector<std::size_t> chosen = set->select(name != nullptr ? name : "");
    SSL_certs_clear(ssl);
    for (std::size_t index : chosen) {
        const auto& entry = set->entries[index];
        if (SSL_use_cert_and_key(ssl, entry.leaf.get(), entry.key.get(), entry.chain.get(), 1) !=
            1) {
            return 0;
        }
    }
    return chosen.empty() ? 0 : 1;
}

int acknowledge_name(SSL*, int*, void*) {
    return SSL_TLSEXT_ERR_OK;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned int in_size, void* argument) {
    const auto* state = static_cast<const TlsServerContext::State*>(argument);
    std::string_view offered(reinterpret_cast<const char*>(in), in_size);
    for (const std::string& ours : state->options.alpn) {
        for (std::size_t at = 0; at < offered.size();) {
            auto size = static_cast<std::size_t>(static_cast<unsigned char>(offered[at]));
            if (offered.substr(at + 1, size) == ours) {
                *out = in + at + 1;
                *out_size = static_cast<unsigned char>(size);
                return SSL_TLSEXT_ERR_OK;
            }
            at += 1 + size;
        }
    }
    // RFC 7301: no_application_protocol. It keeps a browser's HTTP out of a mail port (T15).
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

constexpr const char* kCiphers12 = "ECDHE+AESGCM:ECDHE+CHACHA20";

Result<SslContextPtr> make_context(const SSL_METHOD* method) {
    SslContextPtr ssl(SSL_CTX_new(method));
    if (!ssl) {
        return internal_error(ErrorCode::Invalid, "TLS context: " + openssl_error());
    }
    SSL_CTX_set_min_proto_version(ssl.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(ssl.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One read(2) a record instead of two; the buffer is still released when it is empty.
    SSL_CTX_set_read_ahead(ssl.get(), 1);
    SSL_CTX_set_session_cache_mode(ssl.get(), SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_cipher_list(ssl.get(), kCiphers12) != 1 ||
        SSL_CTX_set1_groups_list(ssl.get(), "X25519:P-256:P-384") != 1) {
        return internal_error(ErrorCode::Invalid, "TLS suites: " + openssl_error());
    }
    return ssl;
}

}  // namespace

namespace {

// Whatever the verdict, the handshake goes on: SSL_get_verify_result() keeps
// it, and who has no good certificate logs in with a password.
int accept_any_client(int /*is_good*/, X509_STORE_CTX* /*context*/) {
    return 1;
}

// RFC 8446 4.4.2.4, RFC 4422 appendix A: certificates of clients, and who may
// have signed them.
Result<> ask_for_certificates(SSL_CTX* ssl, std::string_view pem) {
    BioPtr bio = memory_bio(pem);
    X509_STORE* store = SSL_CTX_get_cert_store(ssl);
    std::size_t count = 0;
    while (X509Ptr authority{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (X509_STORE_add_cert(store, authority.get()) != 1 ||
            SSL_CTX_add_client_CA(ssl, authority.get()) != 1) {
            return internal_error(ErrorCode::Invalid, "CA of clients: " + openssl_error());
        }
        ++count;
    }
    ERR_clear_error();
    if (count == 0) {
        return internal_error(ErrorCode::Invalid, "CA of clients: no certificate in the PEM text");
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, accept_any_client);
    SSL_CTX_set_verify_depth(ssl, static_cast<int>(limits::tls_chain_size_max));
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ssl, 0);
    return {};
}

}  // namespace

TlsServerContext::TlsServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::unique_ptr<TlsServerContext>> TlsServerContext::create(
    const TlsCertificates* certificates, Options options) {
    auto state = std::make_unique<State>();
    state->certificates = certificates;
    state->options = std::move(options);
    state->ssl = TRY(make_context(TLS_server_method()));
    SSL_CTX* ssl = state->ssl.get();
    // Each context draws its own ticket keys; the id context says so once more (T15).
    std::string id = sha256_bytes(state->options.service);
    if (SSL_CTX_set_session_id_context(ssl, reinterpret_cast<const unsigned char*>(id.data()),
                                       static_cast<unsigned>(id.size())) != 1) {
        return internal_error(ErrorCode::Invalid, "TLS id context: " + openssl_error());
    }
    SSL_CTX_set_timeout(ssl, limits::tls_ticket_lifetime.count());
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_cert_cb(ssl, choose_certificate, state.get());
    SSL_CTX_set_tlsext_servername_callback(ssl, acknowledge_name);
    if (!state->options.alpn.empty()) {
        SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, state.get());
    }
    if (!state->options.client_ca_pem.empty()) {
        TRY(ask_for_certificates(ssl, state->options.client_ca_pem));
    }
    return std::unique_ptr<TlsServerContext>(new TlsServerContext(std::move(state)));
}

namespace {

// The layer put the key there; without one nothing is kept.
int keep_session(SSL* ssl, SSL_SESSION* session) {
    const auto* key = static_cast<const std::string*>(SSL_get_app_data(ssl));
    auto* sessions = static_cast<SharedSessions*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (key == nullptr || key->empty()) {
        return 0;
    }
    // A copy: OpenSSL spoils its own when a connection ends without close_notify.
    if (SslSessionPtr copy{SSL_SESSION_dup(session)}) {
        sessions->put(*key, std::move(copy));
    }
    return 0;
}

}  // namespace

TlsClientContext::TlsClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::create(Options options) {
    auto state = std::make_unique<State>();
    state->ssl = TRY(make_context(TLS_client_method()));
    SSL_CTX* ssl = state->ssl.get();
    state->sessions = std::make_shared<SharedSessions>();
    SSL_CTX_set_app_data(ssl, state->sessions.get());
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ssl, keep_session);
    // RFC 7671: with DANE-EE the names in the certificate say nothing.
    if (SSL_CTX_dane_enable(ssl) != 1) {
        return internal_error(ErrorCode::Invalid, "DANE: " + openssl_error());
    }
    SSL_CTX_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (options.certificate) {
        const auto own = TRY(load_entry(*options.certificate));
        if (SSL_CTX_use_cert_and_key(ssl, own.leaf.get(), own.key.get(), own.chain.get(), 1) != 1) {
            return internal_error(ErrorCode::Invalid, "own certificate: " + openssl_error());
        }
    }
    if (!options.ca_file.empty()) {
        if (SSL_CTX_load_verify_file(ssl, options.ca_file.c_str()) != 1) {
            return internal_error(ErrorCode::NotFound,
                                  options.ca_file + " holds no certificates: " + openssl_error());
        }
    } else if (options.use_system_store && SSL_CTX_set_default_verify_paths(ssl) != 1) {
        return internal_error(ErrorCode::NotFound, "the system's certificates: " + openssl_error());
    }
    ERR_clear_error();
    return std::unique_ptr<TlsClientContext>(new TlsClientContext(std::move(state)));
}

}  // namespace godwit::net
