// C16: what TLSA records make of a server's certificate; C14: sessions that are resumed.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <filesystem>

#include "base/crypto.h"
#include "net/io/memory_stream.h"
#include "net/io/task_group.h"
#include "net/io/test_loop.h"
#include "net/tls/certificate_maker.h"
#include "net/tls/context.h"
#include "net/tls/openssl.h"
#include "net/tls/session_store.h"

namespace godwit::net {
namespace {

struct Digests {
    std::string certificate;
    std::string key;
    std::string whole;
};

Digests digests_of(const std::string& pem) {
    BioPtr bio = memory_bio(pem);
    X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    unsigned char* der = nullptr;
    int size = i2d_X509(certificate.get(), &der);
    Digests made;
    made.whole.assign(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    made.certificate = sha256_bytes(made.whole);
    der = nullptr;
    size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
    made.key = sha256_bytes({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return made;
}

Task<void> serve(Stream* stream, const TlsServerContext* context, Result<>* out) {
    *out = co_await stream->start_tls_server(context);
    if (*out) {
        *out = co_await stream->write_all("hello");
    }
}
Task<void> visit(Stream* stream, const TlsClientContext* context, TlsClientOptions options,
                 Result<>* out) {
    *out = co_await stream->start_tls_client(context, std::move(options));
    if (*out) {
        std::string buffer(100, '\0');
        const Result<std::size_t> got = co_await stream->read_some(buffer);
        *out = got ? Result<>() : std::unexpected(got.error());
    }
}

/// A server mx.example.test whose certificate's CA the client does not trust.
struct House {
    std::string folder;
    TlsCertificates certificates;
    Digests leaf;
    Digests ca;
    std::unique_ptr<TlsServerContext> server;
    std::unique_ptr<TlsClientContext> client;

    House() {
        std::string name = (std::filesystem::temp_directory_path() / "godwit-dane-XXXXXX").string();
        folder = mkdtemp(name.data());
        const DevCertificate files =
            *make_dev_certificate(folder, {"mx.example.test"}, system_clock().wall());
        TlsCertificate served = *read_tls_certificate(files.cert_file, files.key_file);
        const std::string ca_pem = read_tls_certificate(files.ca_file, files.ca_file)->chain_pem;
        leaf = digests_of(served.chain_pem);
        ca = digests_of(ca_pem);
        served.chain_pem += ca_pem;
        EXPECT_TRUE(certificates.replace({served}));
        server = *TlsServerContext::create(&certificates, {.service = "smtp", .alpn = {}});
        client = *TlsClientContext::create({.ca_file = "", .use_system_store = false});
    }
    ~House() { std::filesystem::remove_all(folder); }

    struct Met {
        Result<> result;
        bool is_resumed = false;
        bool is_verified = false;
        std::string server_name;
    };
    Met meet(TlsClientOptions options) {
        TestLoop loop;
        auto [a, b] = memory_stream_pair(loop.shard(), loop.shard(), {});
        Result<> served;
        Met met;
        spawn(loop.shard(), "server", serve(b.get(), server.get(), &served));
        spawn(loop.shard(), "client",
              visit(a.get(), client.get(), std::move(options), &met.result));
        loop.run_until_idle();
        if (met.result) {
            met.is_resumed = a->tls()->is_resumed();
            met.is_verified = a->tls()->is_verified();
            met.server_name = b->tls()->server_name();
        }
        return met;
    }
    Met dane(std::vector<TlsaRecord> records, std::string host = "mx.example.test",
             std::vector<std::string> names = {}) {
        return meet({.host = std::move(host),
                     .verify = TlsVerify::Dane,
                     .alpn = {},
                     .names = std::move(names),
                     .tlsa = std::move(records),
                     .resume_key = {}});
    }
};

TEST(Dane, C16_ee_matches_the_certificate_or_its_key_whatever_its_name) {
    House house;
    for (const TlsaRecord& record :
         {TlsaRecord{3, 0, 1, house.leaf.certificate}, TlsaRecord{3, 1, 1, house.leaf.key},
          TlsaRecord{3, 0, 0, house.leaf.whole}}) {
        const auto met = house.dane({record}, "quite.other.test");
        ASSERT_TRUE(met.result) << to_string(record) << " " << met.result.error().text;
        EXPECT_TRUE(met.is_verified);
        EXPECT_EQ(met.server_name, "quite.other.test");
    }
}

TEST(Dane, C16_a_record_of_another_key_is_a_refusal) {
    House house;
    const auto met = house.dane({{3, 1, 1, std::string(32, 'x')}, {2, 0, 1, std::string(32, 'y')}});
    ASSERT_FALSE(met.result);
    EXPECT_EQ(met.result.error().code, ErrorCode::Denied);
    // One that matches is enough.
    EXPECT_TRUE(house.dane({{3, 1, 1, std::string(32, 'x')}, {3, 1, 1, house.leaf.key}}).result);
}

TEST(Dane, C16_ta_needs_a_name_of_the_host) {
    House house;
    const TlsaRecord anchor{2, 0, 1, house.ca.certificate};
    EXPECT_TRUE(house.dane({anchor}).result);
    EXPECT_TRUE(house.dane({{2, 1, 1, house.ca.key}}).result);
    EXPECT_FALSE(house.dane({anchor}, "quite.other.test").result);
    EXPECT_TRUE(house.dane({anchor}, "quite.other.test", {"mx.example.test"}).result);
}

TEST(Dane, C16_records_that_cannot_be_read_match_nothing) {
    House house;
    EXPECT_FALSE(house.dane({{3, 0, 0, "garbage"}}).result);
    EXPECT_FALSE(house.dane({}).result);
}

TEST(Dane, C16_which_records_are_usable) {
    const std::string digest(32, 'd');
    EXPECT_TRUE(is_usable_for_smtp({3, 1, 1, digest}));
    EXPECT_TRUE(is_usable_for_smtp({2, 0, 2, std::string(64, 'd')}));
    EXPECT_TRUE(is_usable_for_smtp({3, 0, 0, "x"}));
    EXPECT_FALSE(is_usable_for_smtp({0, 1, 1, digest}));
    EXPECT_FALSE(is_usable_for_smtp({1, 1, 1, digest}));
    EXPECT_FALSE(is_usable_for_smtp({4, 1, 1, digest}));
    EXPECT_FALSE(is_usable_for_smtp({3, 2, 1, digest}));
    EXPECT_FALSE(is_usable_for_smtp({3, 1, 3, digest}));
    // T19: of every length but the right one.
    for (std::size_t size = 0; size <= 70; ++size) {
        EXPECT_EQ(is_usable_for_smtp({3, 1, 1, std::string(size, 'd')}), size == 32) << size;
        EXPECT_EQ(is_usable_for_smtp({3, 1, 2, std::string(size, 'd')}), size == 64) << size;
        EXPECT_EQ(is_usable_for_smtp({3, 1, 0, std::string(size, 'd')}), size != 0) << size;
    }
}

TEST(TlsSessions, C14_a_session_is_resumed_under_its_own_key_only) {
    House house;
    const auto with_key = [](std::string key) {
        return TlsClientOptions{.host = "mx.example.test",
                                .verify = TlsVerify::Opportunistic,
                                .alpn = {},
                                .names = {},
                                .tlsa = {},
                                .resume_key = std::move(key)};
    };
    EXPECT_FALSE(house.meet(with_key("a")).is_resumed);
    EXPECT_TRUE(house.meet(with_key("a")).is_resumed);
    // A ticket of TLS 1.3 is used once; the resumed session brought the next.
    EXPECT_TRUE(house.meet(with_key("a")).is_resumed);
    EXPECT_FALSE(house.meet(with_key("b")).is_resumed);
    EXPECT_FALSE(house.meet(with_key("")).is_resumed);
    EXPECT_FALSE(house.meet(with_key("")).is_resumed);
}

TEST(TlsSessions, C14_a_resumed_session_is_as_verified_as_it_was) {
    House house;
    TlsClientOptions options{.host = "mx.example.test",
                             .verify = TlsVerify::Dane,
                             .alpn = {},
                             .names = {},
                             .tlsa = {{3, 1, 1, house.leaf.key}},
                             .resume_key = "dane"};
    EXPECT_FALSE(house.meet(options).is_resumed);
    const auto again = house.meet(options);
    EXPECT_TRUE(again.is_resumed);
    EXPECT_TRUE(again.is_verified);
}

TEST(TlsSessions, the_store_keeps_the_newest) {
    SessionStore store;
    for (std::size_t i = 0; i < tls_client_sessions_max; ++i) {
        store.put("k" + std::to_string(i), SslSessionPtr(SSL_SESSION_new()));
    }
    EXPECT_EQ(store.size(), tls_client_sessions_max);
    store.put("k0", SslSessionPtr(SSL_SESSION_new()));
    store.put("one more", SslSessionPtr(SSL_SESSION_new()));
    EXPECT_EQ(store.size(), tls_client_sessions_max);
    EXPECT_EQ(store.take("k1"), nullptr);
    EXPECT_NE(store.take("k0"), nullptr);
}

}  // namespace
}  // namespace godwit::net
