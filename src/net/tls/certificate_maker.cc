#include "net/tls/certificate_maker.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/random.h"
#include "net/io/endpoint.h"
#include "net/tls/openssl.h"

namespace godwit::net {

namespace {

struct Pair {
    X509Ptr certificate;
    KeyPtr key;
};

std::unexpected<Error> failed(std::string_view doing) {
    return internal_error(ErrorCode::Invalid, std::string(doing) + ": " + openssl_error());
}

Result<std::string> to_pem(X509* certificate, EVP_PKEY* key) {
    BioPtr out(BIO_new(BIO_s_mem()));
    bool is_written = key != nullptr
                          ? PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0,
                                                          nullptr, nullptr) == 1
                          : PEM_write_bio_X509(out.get(), certificate) == 1;
    if (!is_written) {
        return failed("writing PEM");
    }
    char* text = nullptr;
    long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// The only subjectAltName. OpenSSL's text form cannot say UTF-8 in an otherName.
bool add_address(X509* certificate, const std::string& address) {
    const auto size = static_cast<int>(address.size());
    std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> names(GENERAL_NAMES_new());
    std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>> name(GENERAL_NAME_new());
    std::unique_ptr<ASN1_STRING, FreeWith<ASN1_STRING_free>> text(
        ASN1_STRING_type_new(is_ascii(address) ? V_ASN1_IA5STRING : V_ASN1_UTF8STRING));
    if (!names || !name || !text || ASN1_STRING_set(text.get(), address.data(), size) != 1) {
        return false;
    }
    if (is_ascii(address)) {
        GENERAL_NAME_set0_value(name.get(), GEN_EMAIL, text.release());
    } else {
        std::unique_ptr<ASN1_TYPE, FreeWith<ASN1_TYPE_free>> value(ASN1_TYPE_new());
        if (!value) {
            return false;
        }
        ASN1_TYPE_set(value.get(), V_ASN1_UTF8STRING, text.release());
        if (GENERAL_NAME_set0_othername(name.get(), OBJ_nid2obj(NID_id_on_SmtpUTF8Mailbox),
                                        value.get()) != 1) {
            return false;
        }
        (void)value.release();
    }
    if (sk_GENERAL_NAME_push(names.get(), name.get()) < 1) {
        return false;
    }
    (void)name.release();
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
        return is_alnum(c) || c == '.' || c == '-' || c == '*' || c == '_' || c == ':';
    });
}

struct Wanted {
    std::string common_name;
    std::vector<std::string> names;  ///< Empty: a CA.
    WallTime not_before;
    WallTime not_after;
    std::string address = {};  ///< A client's, instead of names.
};

bool add_extensions(X509* certificate, X509* issuer, const Wanted& wanted) {
    if (wanted.names.empty() && wanted.address.empty()) {
        return add_extension(certificate, issuer, NID_basic_constraints,
                             "critical,CA:TRUE,pathlen:0") &&
               add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
               add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    }
    std::string alternatives;
    for (const std::string& name : wanted.names) {
        alternatives += alternatives.empty() ? "" : ",";
        alternatives += (IpAddress::parse(name) ? "IP:" : "DNS:") + name;
    }
    const bool is_client = !wanted.address.empty();
    return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_ext_key_usage,
                         is_client ? "clientAuth" : "serverAuth") &&
           (is_client ? add_address(certificate, wanted.address)
                      : add_extension(certificate, issuer, NID_subject_alt_name, alternatives)) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
}

/// Signed by `issuer`, or by itself when null.
Result<Pair> make_pair(const Wanted& wanted, const Pair* issuer) {
    Pair made{X509Ptr(X509_new()), KeyPtr(EVP_EC_gen("P-256"))};
    if (!made.certificate || !made.key) {
        return failed("making a key");
    }
    X509* certificate = made.certificate.get();
    const Pair& signer = issuer != nullptr ? *issuer : made;
    X509_set_version(certificate, X509_VERSION_3);
    // 127 random bits: a new certificate never carries an old serial number.
    std::string serial = system_random().bytes(16);
    serial[0] = static_cast<char>(serial[0] & 0x7F);
    std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), 16, nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
    ASN1_TIME_set(X509_getm_notBefore(certificate), unix_seconds(wanted.not_before));
    ASN1_TIME_set(X509_getm_notAfter(certificate), unix_seconds(wanted.not_after));
    X509_set_pubkey(certificate, made.key.get());
    // RFC 5280 A.1: a common name has at most 64 characters.
    std::string common_name = wanted.common_name.substr(0, 64);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.data()),
                               static_cast<int>(common_name.size()), -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
    if (!add_extensions(certificate, signer.certificate.get(), wanted) ||
        X509_sign(certificate, signer.key.get(), EVP_sha256()) == 0) {
        return failed("making a certificate");
    }
    return made;
}

Result<> check_names(const std::vector<std::string>& names) {
    if (names.empty()) {
        return internal_error(ErrorCode::Invalid, "a certificate needs a name");
    }
    for (const std::string& name : names) {
        if (!is_plain_name(name)) {
            return internal_error(ErrorCode::Invalid, "not a host name: \"" + name + "\"");
        }
    }
    return {};
}

/// Written beside and renamed, so that a reader never sees half a file.
Result<> write_file(const std::string& path, std::string_view text, mode_t mode) {
    std::string fresh = path + ".new";
    int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) {
        return internal_error(ErrorCode::Io, fresh + " cannot be written");
    }
    bool is_done = fchmod(file, mode) == 0 &&
                   write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                   fsync(file) == 0;
    is_done = close(file) == 0 && is_done && rename(fresh.c_str(), path.c_str()) == 0;
    if (!is_done) {
        return internal_error(ErrorCode::Io, path + " cannot be written");
    }
    return {};
}

bool names_all(const CertificateFacts& facts, const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        return std::find(facts.names.begin(), facts.names.end(), to_lower(name)) !=
               facts.names.end();
    });
}

Result<Pair> load_pair(const TlsCertificate& pem) {
    BioPtr certificate = memory_bio(pem.chain_pem);
    BioPtr key = memory_bio(pem.key_pem);
    Pair pair{X509Ptr(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
              KeyPtr(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, const_cast<char*>("")))};
    if (!pair.certificate || !pair.key ||
        X509_check_private_key(pair.certificate.get(), pair.key.get()) != 1) {
        return failed("reading a certificate and its key");
    }
    return pair;
}

constexpr std::chrono::days kCaLifetime{3650};
constexpr std::chrono::days kServerLifetime{365};
constexpr std::chrono::days kRenewBefore{7};

bool lasts(const CertificateFacts& facts, WallTime now) {
    return facts.not_before <= now && now + kRenewBefore < facts.not_after;
}

/// The CA in `dir`, made anew when it is missing, broken or about to end.
Result<Pair> dev_ca(const std::string& dir, WallTime now) {
    std::string key_file = dir + "/ca-key.pem";
    if (auto pem = read_tls_certificate(dir + "/ca.pem", key_file)) {
        auto pair = load_pair(*pem);
        auto facts = certificate_facts(pem->chain_pem);
        if (pair && facts && lasts(*facts, now)) {
            return pair;
        }
    }
    ERR_clear_error();
    Pair made = TRY(make_pair({.common_name = "Godwit dev CA",
                               .names = {},
                               .not_before = now - std::chrono::hours(1),
                               .not_after = now + kCaLifetime},
                              nullptr));
    std::string key_pem = TRY(to_pem(nullptr, made.key.get()));
    std::string ca_pem = TRY(to_pem(made.certificate.get(), nullptr));
    TRY(write_file(key_file, key_pem, 0600));
    TRY(write_file(dir + "/ca.pem", ca_pem, 0644));
    return made;
}

}  // namespace

Result<TlsCertificate> make_self_signed(const std::vector<std::string>& names, WallTime now,
                                        std::chrono::days lifetime) {
    TRY(check_names(names));
    Pair made = TRY(make_pair({.common_name = names.front(),
                               .names = names,
                               .not_before = now - std::chrono::hours(1),
                               .not_after = now + lifetime},
                              nullptr));
    TlsCertificate pem;
    pem.chain_pem = TRY(to_pem(made.certificate.get(), nullptr));
    pem.key_pem = TRY(to_pem(nullptr, made.key.get()));
    return pem;
}

Result<TlsCertificate> make_client_certificate(const std::string& address, WallTime now,
                                               std::chrono::days lifetime) {
    if (address.find('@') == std::string::npos ||
        address.find_first_of(",;\n") != std::string::npos) {
        return internal_error(ErrorCode::Invalid, "not a mail address: \"" + address + "\"");
    }
    Pair made = TRY(make_pair({.common_name = address,
                               .names = {},
                               .not_before = now - std::chrono::hours(1),
                               .not_after = now + lifetime,
                               .address = address},
                              nullptr));
    TlsCertificate pem;
    pem.chain_pem = TRY(to_pem(made.certificate.get(), nullptr));
    pem.key_pem = TRY(to_pem(nullptr, made.key.get()));
    return pem;
}

Result<DevCertificate> make_dev_certificate(const std::string& dir,
                                            const std::vector<std::string>& names, WallTime now) {
    TRY(check_names(names));
    DevCertificate files{dir + "/ca.pem", dir + "/cert.pem", dir + "/key.pem"};
    Pair ca = TRY(dev_ca(dir, now));
    if (auto pem = read_tls_certificate(files.cert_file, files.key_file)) {
        auto pair = load_pair(*pem);
        auto facts = certificate_facts(pem->chain_pem);
        if (pair && facts && lasts(*facts, now) && names_all(*facts, names) &&
            X509_verify(pair->certificate.get(), ca.key.get()) == 1) {
            return files;
        }
    }
    ERR_clear_error();
    Pair made = TRY(make_pair({.common_name = names.front(),
                               .names = names,
                               .not_before = now - std::chrono::hours(1),
                               .not_after = now + kServerLifetime},
                              &ca));
    std::string key_pem = TRY(to_pem(nullptr, made.key.get()));
    std::string cert_pem = TRY(to_pem(made.certificate.get(), nullptr));
    TRY(write_file(files.key_file, key_pem, 0600));
    TRY(write_file(files.cert_file, cert_pem, 0644));
    return files;
}

}  // namespace godwit::net
