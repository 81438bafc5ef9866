#include "net/tls/layer.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <new>

#include "base/ascii.h"
#include "net/tls/openssl.h"
#include "net/tls/session_store.h"

namespace godwit::net {

namespace {

/// What a BIO of ours holds: the channel, and how its last step failed.
struct BioState {
    Channel* channel = nullptr;
    int error = 0;
    bool is_at_end = false;
};

BioState& state_of(BIO* bio) {
    return *static_cast<BioState*>(BIO_get_data(bio));
}

int channel_read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    BioState& state = state_of(bio);
    if (size <= 0) {
        return 0;
    }
    IoStep step = state.channel->read({out, static_cast<std::size_t>(size)});
    switch (step.outcome) {
        case IoStep::Outcome::Done:
            state.is_at_end = step.count == 0;
            return static_cast<int>(step.count);
        case IoStep::Outcome::WouldBlock: BIO_set_retry_read(bio); return -1;
        case IoStep::Outcome::Failed: state.error = step.error; return -1;
    }
    return -1;
}

int channel_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    if (size <= 0) {
        return 0;
    }
    IoStep step = state_of(bio).channel->write({bytes, static_cast<std::size_t>(size)});
    switch (step.outcome) {
        case IoStep::Outcome::Done: return static_cast<int>(step.count);
        case IoStep::Outcome::WouldBlock: BIO_set_retry_write(bio); return -1;
        case IoStep::Outcome::Failed: state_of(bio).error = step.error; return -1;
    }
    return -1;
}

long channel_control(BIO* bio, int command, long, void*) {
    switch (command) {
        case BIO_CTRL_FLUSH: return 1;
        case BIO_CTRL_EOF: return state_of(bio).is_at_end ? 1 : 0;
        default: return 0;
    }
}

BIO_METHOD* channel_method() {
    // One for the process, made on first use and never freed.
    static BIO_METHOD* method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
        BIO_meth_set_read(made, channel_read);
        BIO_meth_set_write(made, channel_write);
        BIO_meth_set_ctrl(made, channel_control);
        return made;
    }();
    return method;
}

bool is_certificate_alert(int reason) {
    // RFC 8446 6: bad_certificate 42 .. certificate_unknown 46, unknown_ca 48; OpenSSL adds 1000.
    int alert = reason - SSL_AD_REASON_OFFSET;
    return (alert >= 42 && alert <= 46) || alert == 48;
}

class OpenSslLayer final : public TlsLayer {
public:
    OpenSslLayer(SslPtr ssl, Channel* channel, std::string resume_key = {})
        : resume_key_(std::move(resume_key)), ssl_(std::move(ssl)) {
        io_.channel = channel;
        SSL_set_app_data(ssl_.get(), &resume_key_);
        BIO* bio = BIO_new(channel_method());
        BIO_set_data(bio, &io_);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);
    }

    IoStep handshake() override {
        ERR_clear_error();
        int result = SSL_do_handshake(ssl_.get());
        return result == 1 ? IoStep::done(0) : not_done(result);
    }
    IoStep read(std::span<char> buffer) override {
        ERR_clear_error();
        std::size_t count = 0;
        int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
        return result == 1 ? IoStep::done(count) : not_read(result);
    }
    IoStep peek() override {
        ERR_clear_error();
        char first = 0;
        std::size_t count = 0;
        int result = SSL_peek_ex(ssl_.get(), &first, 1, &count);
        return result == 1 ? IoStep::done(count) : not_read(result);
    }
    IoStep write(std::string_view bytes) override {
        ERR_clear_error();
        std::size_t count = 0;
        int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
        return result == 1 ? IoStep::done(count) : not_done(result);
    }
    IoStep shutdown() override {
        ERR_clear_error();
        int result = SSL_shutdown(ssl_.get());
        return result >= 0 ? IoStep::done(0) : not_done(result);
    }
    Error failure(std::string_view doing) const override {
        Error error = failure_;
        return std::move(error).within(doing);
    }

    std::string version() const override { return SSL_get_version(ssl_.get()); }
    std::string cipher() const override { return SSL_get_cipher_name(ssl_.get()); }
    std::string server_name() const override {
        const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
        return name == nullptr ? "" : to_lower(std::string_view(name));
    }
    std::string alpn() const override {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_.get(), &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    }
    bool is_resumed() const override { return SSL_session_reused(ssl_.get()) == 1; }
    bool is_verified() const override {
        return !is_server() && SSL_get0_peer_certificate(ssl_.get()) != nullptr &&
               SSL_get_verify_result(ssl_.get()) == X509_V_OK;
    }
    std::string verify_error() const override {
        long result = SSL_get_verify_result(ssl_.get());
        return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
    }
    std::vector<std::string> peer_chain() const override;
    std::vector<std::string> client_addresses() const override {
        X509* shown = is_server() ? SSL_get0_peer_certificate(ssl_.get()) : nullptr;
        return shown != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK
                   ? certificate_addresses(shown)
                   : std::vector<std::string>();
    }
    std::optional<std::string> channel_binding(ChannelBinding kind) const override {
        return kind == ChannelBinding::TlsExporter ? exporter() : server_end_point();
    }

private:
    bool is_server() const { return SSL_is_server(ssl_.get()) == 1; }
    IoStep not_done(int result);
    IoStep not_read(int result);
    Error classify() const;
    std::optional<std::string> exporter() const;
    std::optional<std::string> server_end_point() const;

    BioState io_;
    std::string resume_key_;  // Outlives ssl_, which points at it.
    SslPtr ssl_;
    Error failure_;
};

IoStep OpenSslLayer::not_done(int result) {
    int kind = SSL_get_error(ssl_.get(), result);
    switch (kind) {
        case SSL_ERROR_WANT_READ: return IoStep::would_block(Direction::Read);
        case SSL_ERROR_WANT_WRITE: return IoStep::would_block(Direction::Write);
        default: break;
    }
    // A TLS reason comes first: the alert about it may have failed to leave as well.
    if (kind != SSL_ERROR_SSL && io_.error != 0) {
        ERR_clear_error();
        return IoStep::failed(io_.error);
    }
    failure_ = kind == SSL_ERROR_ZERO_RETURN
                   ? Error{ErrorKind::Temporary, ErrorCode::Closed, "the peer has ended TLS"}
                   : classify();
    return IoStep::failed(0);
}

// For a reader the peer's close_notify is the end. In anything else it is no success: a write that
// fails on a broken connection is called so too, when the peer had said it before.
IoStep OpenSslLayer::not_read(int result) {
    return SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN ? IoStep::done(0)
                                                                      : not_done(result);
}

Error OpenSslLayer::classify() const {
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || (io_.is_at_end && reason == 0)) {
        ERR_clear_error();
        return Error{ErrorKind::Temporary, ErrorCode::Closed,
                     "the peer ended TLS without close_notify"};
    }
    std::string text = openssl_error();
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return Error{ErrorKind::Peer, ErrorCode::Denied, text + ": " + verify_error()};
    }
    return Error{ErrorKind::Peer,
                 is_certificate_alert(reason) ? ErrorCode::Denied : ErrorCode::Invalid, text};
}

std::vector<std::string> OpenSslLayer::peer_chain() const {
    std::vector<std::string> chain;
    STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; sent != nullptr && i < sk_X509_num(sent); ++i) {
        unsigned char* der = nullptr;
        int size = i2d_X509(sk_X509_value(sent, i), &der);
        if (size > 0) {
            chain.emplace_back(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
        }
        OPENSSL_free(der);
    }
    return chain;
}

std::optional<std::string> OpenSslLayer::exporter() const {
    // RFC 9266: label "EXPORTER-Channel-Binding", empty context, 32 bytes; below TLS 1.3 only with
    // the extended master secret, else two connections could share one (triple handshake).
    static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    if (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1) {
        return std::nullopt;
    }
    std::string out(32, '\0');
    if (SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(out.data()),
                                   out.size(), kLabel.data(), kLabel.size(), nullptr, 0, 1) != 1) {
        ERR_clear_error();
        return std::nullopt;
    }
    return out;
}

std::optional<std::string> OpenSslLayer::server_end_point() const {
    // RFC 5929: the certificate's own signature hash, with SHA-256 in place of MD5 and SHA-1.
    X509* certificate =
        is_server() ? SSL_get_certificate(ssl_.get()) : SSL_get0_peer_certificate(ssl_.get());
    int hash = NID_undef;
    if (certificate == nullptr ||
        X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1) {
        ERR_clear_error();
        return std::nullopt;
    }
    const EVP_MD* method =
        hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (method == nullptr || X509_digest(certificate, method, digest.data(), &size) != 1) {
        ERR_clear_error();
        return std::nullopt;
    }
    return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

// SNI, and the names of which the certificate must have one.
bool name_peer(SSL* ssl, const TlsClientOptions& options) {
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (options.host.empty()) {
        return options.verify == TlsVerify::Opportunistic;
    }
    if (IpAddress::parse(options.host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, options.host.c_str()) == 1;
    }
    if (X509_VERIFY_PARAM_set1_host(param, options.host.c_str(), 0) != 1 ||
        SSL_set_tlsext_host_name(ssl, options.host.c_str()) != 1) {
        return false;
    }
    return std::ranges::all_of(options.names, [ssl](const std::string& name) {
        return SSL_add1_host(ssl, name.c_str()) == 1;
    });
}

// OpenSSL weighs the records by RFC 7671 (digest agility, DANE-TA in the chain). When it can read
// none of them (a whole certificate or key that is garbage), nothing matches.
bool add_tlsa(SSL* ssl, const TlsClientOptions& options) {
    if (options.verify != TlsVerify::Dane) {
        return true;
    }
    const std::string name = IpAddress::parse(options.host) ? "" : options.host;
    if (SSL_dane_enable(ssl, name.empty() ? nullptr : name.c_str()) != 1) {
        return false;
    }
    std::size_t added = 0;
    for (const TlsaRecord& record : options.tlsa) {
        const int result = SSL_dane_tlsa_add(
            ssl, record.usage, record.selector, record.matching,
            reinterpret_cast<const unsigned char*>(record.data.data()), record.data.size());
        added += result > 0 ? 1 : 0;
    }
    ERR_clear_error();
    if (added != 0) {
        return true;
    }
    // Without a record OpenSSL would ask the trusted CAs instead: one that nothing can match.
    const std::string impossible(32, '\0');
    return SSL_dane_tlsa_add(ssl, kTlsaDaneEe, 1, 1,
                             reinterpret_cast<const unsigned char*>(impossible.data()),
                             impossible.size()) > 0;
}

// With a context that is there, it fails for want of memory alone (STYLE.md: bad_alloc).
SslPtr new_connection(SSL_CTX* context) {
    SslPtr ssl(SSL_new(context));
    if (ssl == nullptr) {
        throw std::bad_alloc();
    }
    return ssl;
}

}  // namespace

std::unique_ptr<TlsLayer> TlsLayer::server(const TlsServerContext& context, Channel* channel) {
    SslPtr ssl = new_connection(context.state().ssl.get());
    SSL_set_accept_state(ssl.get());
    return std::make_unique<OpenSslLayer>(std::move(ssl), channel);
}

Result<std::unique_ptr<TlsLayer>> TlsLayer::client(const TlsClientContext& context,
                                                   const TlsClientOptions& options,
                                                   Channel* channel) {
    SslPtr ssl = new_connection(context.state().ssl.get());
    SSL_set_connect_state(ssl.get());
    // In this order: enabling DANE forgets the names.
    if (!add_tlsa(ssl.get(), options) || !name_peer(ssl.get(), options)) {
        ERR_clear_error();
        return peer_error(ErrorCode::Invalid, "not a host name for TLS: \"" + options.host + "\"");
    }
    if (options.verify != TlsVerify::Opportunistic) {
        SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
    } else {
        // Any encryption beats none: take the suites and key sizes of older servers too.
        SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
        SSL_set_security_level(ssl.get(), 1);
        SSL_set_cipher_list(ssl.get(), "HIGH:!aNULL:!PSK:!SRP:!3DES");
    }
    if (!options.resume_key.empty()) {
        if (const SslSessionPtr kept = context.state().sessions->take(options.resume_key)) {
            SSL_set_session(ssl.get(), kept.get());
        }
    }
    std::string alpn;
    for (const std::string& name : options.alpn) {
        alpn += static_cast<char>(name.size());
        alpn += name;
    }
    if (!alpn.empty()) {
        SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
    }
    return std::make_unique<OpenSslLayer>(std::move(ssl), channel, options.resume_key);
}

}  // namespace godwit::net
