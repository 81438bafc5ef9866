// TLS over memory streams: handshakes, names, trust, bindings, tickets, ALPN, reload, certificates.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "net/io/memory_stream.h"
#include "net/io/task_group.h"
#include "net/io/test_loop.h"
#include "net/tls/certificate_maker.h"
#include "net/tls/context.h"

namespace godwit::net {
namespace {

WallTime today() {
    return system_clock().wall();
}

/// A folder of its own, removed with what is in it.
class TestFolder {
public:
    TestFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "godwit-tls-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    TestFolder(const TestFolder&) = delete;
    ~TestFolder() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct Side {
    Result<> result;
    std::string got;
    bool is_done = false;
};

Task<Result<>> talk(Stream* stream, std::string say, std::string* got) {
    CO_TRY(co_await stream->write_all(say));
    std::string buffer(100, '\0');
    std::size_t count = CO_TRY(co_await stream->read_some(buffer));
    got->assign(buffer, 0, count);
    co_return Result<>();
}
Task<void> serve(Stream* stream, const TlsServerContext* context, Side* side) {
    side->result = co_await stream->start_tls_server(context);
    if (side->result) {
        side->result = co_await talk(stream, "from server", &side->got);
    }
    side->is_done = true;
}
Task<void> visit(Stream* stream, const TlsClientContext* context, TlsClientOptions options,
                 Side* side) {
    side->result = co_await stream->start_tls_client(context, std::move(options));
    if (side->result) {
        side->result = co_await talk(stream, "from client", &side->got);
    }
    side->is_done = true;
}

struct House {
    TestFolder folder;
    DevCertificate files =
        *make_dev_certificate(folder.path(), {"mx.example.test", "127.0.0.1"}, today());
    TlsCertificates certificates;
    std::unique_ptr<TlsServerContext> server;
    std::unique_ptr<TlsClientContext> client;

    explicit House(std::vector<std::string> alpn = {}) {
        EXPECT_TRUE(certificates.replace({*read_tls_certificate(files.cert_file, files.key_file)}));
        server =
            *TlsServerContext::create(&certificates, {.service = "test", .alpn = std::move(alpn)});
        client = *TlsClientContext::create({.ca_file = files.ca_file});
    }
};

struct Meeting {
    TestLoop loop;
    std::unique_ptr<Stream> a;
    std::unique_ptr<Stream> b;
    Side client;
    Side server;

    explicit Meeting(House& house, TlsClientOptions options, MemoryPairOptions pair = {}) {
        std::tie(a, b) = memory_stream_pair(loop.shard(), loop.shard(), std::move(pair));
        spawn(loop.shard(), "server", serve(b.get(), house.server.get(), &server));
        spawn(loop.shard(), "client",
              visit(a.get(), house.client.get(), std::move(options), &client));
        loop.run_until_idle();
    }
};

TEST(Tls, verified_session_carries_bytes) {
    House house;
    Meeting met(house, {.host = "mx.example.test"});
    ASSERT_TRUE(met.client.result) << met.client.result.error().text;
    ASSERT_TRUE(met.server.result) << met.server.result.error().text;
    EXPECT_EQ(met.client.got, "from server");
    EXPECT_EQ(met.server.got, "from client");
    const TlsSession& client = *met.a->tls();
    const TlsSession& server = *met.b->tls();
    EXPECT_EQ(client.version(), "TLSv1.3");
    EXPECT_EQ(server.server_name(), "mx.example.test");
    EXPECT_TRUE(client.is_verified());
    EXPECT_EQ(client.peer_chain().size(), 1U);
    for (ChannelBinding kind : {ChannelBinding::TlsExporter, ChannelBinding::TlsServerEndPoint}) {
        ASSERT_TRUE(client.channel_binding(kind).has_value());
        EXPECT_EQ(client.channel_binding(kind)->size(), 32U);
        EXPECT_EQ(client.channel_binding(kind), server.channel_binding(kind));
    }
}

TEST(Tls, every_split_of_the_bytes) {
    House house;
    Meeting met(house, {.host = "127.0.0.1"}, {.chunk_max = 1});
    EXPECT_TRUE(met.client.result);
    EXPECT_EQ(met.server.got, "from client");
    EXPECT_EQ(met.b->tls()->server_name(), "");
}

TEST(Tls, wrong_name_is_denied) {
    House house;
    Meeting met(house, {.host = "other.example.test"});
    ASSERT_FALSE(met.client.result);
    EXPECT_EQ(met.client.result.error().code, ErrorCode::Denied);
    ASSERT_FALSE(met.server.result);
}

TEST(Tls, opportunistic_takes_any_certificate_and_tells) {
    House house;
    Meeting met(house, {.host = "other.example.test", .verify = TlsVerify::Opportunistic});
    ASSERT_TRUE(met.client.result);
    EXPECT_FALSE(met.a->tls()->is_verified());
    EXPECT_NE(met.a->tls()->verify_error(), "");
}

TEST(Tls, alpn_mismatch_is_refused) {
    House house({"imap"});
    Meeting wrong(house, {.host = "mx.example.test", .alpn = {"http/1.1"}});
    EXPECT_FALSE(wrong.client.result);
    EXPECT_FALSE(wrong.server.result);
    Meeting right(house, {.host = "mx.example.test", .alpn = {"smtp", "imap"}});
    EXPECT_TRUE(right.client.result);
    EXPECT_EQ(right.b->tls()->alpn(), "imap");
    Meeting silent(house, {.host = "mx.example.test"});
    EXPECT_TRUE(silent.client.result);
}

TEST(Tls, certificates_by_name_and_reload) {
    House house;
    auto one =
        *make_self_signed({"one.example.test", "*.wild.test"}, today(), std::chrono::days(30));
    auto dev = *read_tls_certificate(house.files.cert_file, house.files.key_file);
    ASSERT_TRUE(house.certificates.replace({dev, one}));
    Meeting other(house, {.host = "a.wild.test", .verify = TlsVerify::Opportunistic});
    ASSERT_TRUE(other.client.result);
    Meeting usual(house, {.host = "mx.example.test"});
    ASSERT_TRUE(usual.client.result);
    EXPECT_NE(other.a->tls()->peer_chain(), usual.a->tls()->peer_chain());
    EXPECT_EQ(other.a->tls()->channel_binding(ChannelBinding::TlsServerEndPoint),
              other.b->tls()->channel_binding(ChannelBinding::TlsServerEndPoint));
    // A key that is another's: nothing changes.
    EXPECT_FALSE(
        house.certificates.replace({{.chain_pem = dev.chain_pem, .key_pem = one.key_pem}}));
    Meeting still(house, {.host = "mx.example.test"});
    EXPECT_TRUE(still.client.result);
}

TEST(Tls, no_certificate_fails_politely) {
    House house;
    ASSERT_TRUE(house.certificates.replace({}));
    EXPECT_TRUE(house.certificates.is_empty());
    Meeting met(house, {.host = "mx.example.test"});
    EXPECT_FALSE(met.client.result);
    EXPECT_FALSE(met.server.result);
}

Task<void> send_junk(Stream* stream) {
    (void)co_await stream->write_all("GET / HTTP/1.1\r\n\r\n");
}

TEST(Tls, junk_instead_of_a_handshake) {
    House house;
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    Side server;
    spawn(loop.shard(), "junk", send_junk(a.get()));
    spawn(loop.shard(), "server", serve(b.get(), house.server.get(), &server));
    loop.run_until_idle();
    ASSERT_TRUE(server.is_done);
    EXPECT_EQ(server.result.error().kind, ErrorKind::Peer);
    EXPECT_EQ(b->tls(), nullptr);
}

TEST(Tls, silent_handshake_meets_the_deadline) {
    House house;
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    Side server;
    b->set_deadline(loop.clock().mono() + std::chrono::seconds(10));
    spawn(loop.shard(), "server", serve(b.get(), house.server.get(), &server));
    loop.advance(std::chrono::seconds(11));
    ASSERT_TRUE(server.is_done);
    EXPECT_EQ(server.result.error().code, ErrorCode::Timeout);
}

Task<void> close_stream(Stream* stream) {
    co_await stream->close();
}
Task<Result<std::size_t>> read_one(Stream* stream) {
    std::string buffer(10, '\0');
    co_return co_await stream->read_some(buffer);
}

TEST(Tls, orderly_end_and_truncation_differ) {
    House house;
    Meeting orderly(house, {.host = "mx.example.test"});
    spawn(orderly.loop.shard(), "close", close_stream(orderly.a.get()));
    orderly.loop.run_until_idle();
    EXPECT_EQ(run(orderly.loop, read_one(orderly.b.get()))->value(), 0U);
    Meeting cut(house, {.host = "mx.example.test"});
    cut.a.reset();
    EXPECT_EQ(run(cut.loop, read_one(cut.b.get()))->error().code, ErrorCode::Closed);
}

// OpenSSL calls it the peer's orderly end, which is no way to have written anything.
TEST(Tls, writing_to_a_connection_that_broke_after_its_end_fails) {
    House house;
    Meeting met(house, {.host = "mx.example.test"});
    spawn(met.loop.shard(), "close", close_stream(met.a.get()));
    met.loop.run_until_idle();
    EXPECT_EQ(run(met.loop, read_one(met.b.get()))->value(), 0U);
    met.a.reset();
    const std::string bytes(100'000, 'x');
    const auto written = run(met.loop, met.b->write_all(bytes));
    ASSERT_TRUE(written.has_value());
    EXPECT_FALSE(*written);
}

Task<void> send_close_notify(Stream* stream) {
    constexpr std::string_view kAlert("\x15\x03\x01\x00\x02\x01\x00", 7);
    (void)co_await stream->write_all(kAlert);
}

TEST(Tls, an_end_in_the_handshake_is_no_handshake) {
    House house;
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    Side server;
    spawn(loop.shard(), "end", send_close_notify(a.get()));
    spawn(loop.shard(), "server", serve(b.get(), house.server.get(), &server));
    loop.run_until_idle();
    ASSERT_TRUE(server.is_done);
    EXPECT_FALSE(server.result);
    EXPECT_EQ(b->tls(), nullptr);
}

TEST(Tls, every_failing_step_is_an_error) {
    House house;
    for (std::uint64_t nth = 1; nth < 100; ++nth) {
        auto faults = std::make_shared<MemoryFaults>();
        faults->fail_step(nth);
        Meeting met(house, {.host = "mx.example.test"}, {.faults = faults});
        ASSERT_TRUE(met.client.is_done && met.server.is_done) << nth;
        if (met.client.result && met.server.result) {
            EXPECT_GT(nth, 4U);
            return;
        }
    }
    FAIL() << "never passed untouched";
}

Task<Result<Readiness>> idle(Stream* stream) {
    co_return co_await stream->wait_readable();
}

// With TLS 1.3 the server has finished when the client finds fault with its certificate.
TEST(Tls, late_alert_is_told_as_such_to_a_waiting_reader) {
    House house;
    Meeting met(house, {.host = "mx.example.test"});
    met.a.reset();
    auto result = run(met.loop, idle(met.b.get()));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->error().text, "reading: the peer ended TLS without close_notify");
    Meeting denied(house, {.host = "other.example.test"});
    EXPECT_EQ(denied.server.result.error().code, ErrorCode::Denied);
}

TEST(CertificateMaker, keeps_what_is_valid) {
    TestFolder folder;
    std::vector<std::string> names = {"mx.example.test", "localhost", "127.0.0.1", "::1"};
    auto first = make_dev_certificate(folder.path(), names, today());
    ASSERT_TRUE(first) << first.error().text;
    auto before = read_tls_certificate(first->cert_file, first->key_file);
    ASSERT_TRUE(make_dev_certificate(folder.path(), names, today()));
    EXPECT_EQ(read_tls_certificate(first->cert_file, first->key_file)->chain_pem,
              before->chain_pem);
    auto facts = certificate_facts(before->chain_pem);
    EXPECT_EQ(facts->names, names);
    struct stat mode{};
    stat(first->key_file.c_str(), &mode);
    EXPECT_EQ(mode.st_mode & 0777U, 0600U);
    // Another name, or a year later: a new one of the same CA.
    std::string ca = read_tls_certificate(first->ca_file, first->ca_file)->chain_pem;
    names.push_back("new.example.test");
    ASSERT_TRUE(make_dev_certificate(folder.path(), names, today()));
    auto after = read_tls_certificate(first->cert_file, first->key_file);
    EXPECT_NE(after->chain_pem, before->chain_pem);
    ASSERT_TRUE(make_dev_certificate(folder.path(), names, today() + std::chrono::days(364)));
    EXPECT_NE(read_tls_certificate(first->cert_file, first->key_file)->chain_pem, after->chain_pem);
    EXPECT_EQ(read_tls_certificate(first->ca_file, first->ca_file)->chain_pem, ca);
}

TEST(CertificateMaker, refuses_what_is_no_name) {
    EXPECT_FALSE(make_self_signed({}, today(), std::chrono::days(1)));
    EXPECT_FALSE(make_self_signed({"a,DNS:b"}, today(), std::chrono::days(1)));
}

// RFC 4422 appendix A: what EXTERNAL goes by.
struct CertificateVisit {
    House house;

    std::vector<std::string> addresses(const std::optional<TlsCertificate>& shown,
                                       const TlsCertificate& trusted) {
        house.server = *TlsServerContext::create(
            &house.certificates, {.service = "test", .client_ca_pem = trusted.chain_pem});
        house.client =
            *TlsClientContext::create({.ca_file = house.files.ca_file, .certificate = shown});
        Meeting met(house, {.host = "mx.example.test"});
        EXPECT_TRUE(met.client.result && met.server.result);
        EXPECT_TRUE(met.a->tls()->client_addresses().empty());
        return met.b->tls()->client_addresses();
    }
};

TEST(Tls, a_clients_certificate_names_its_addresses) {
    const std::chrono::days year(365);
    const TlsCertificate alice = *make_client_certificate("alice@example.test", today(), year);
    const TlsCertificate bob = *make_client_certificate("bob@example.test", today(), year);
    const TlsCertificate ulla = *make_client_certificate("\u00FClla@example.test", today(), year);
    const TlsCertificate old = *make_client_certificate(
        "old@example.test", today() - std::chrono::days(30), std::chrono::days(20));
    const TlsCertificate server = *make_self_signed({"mx.example.test"}, today(), year);
    CertificateVisit visit;
    EXPECT_EQ(visit.addresses(alice, alice), std::vector<std::string>{"alice@example.test"});
    EXPECT_EQ(visit.addresses(ulla, ulla), std::vector<std::string>{"\u00FClla@example.test"});
    EXPECT_TRUE(visit.addresses(std::nullopt, alice).empty());
    EXPECT_TRUE(visit.addresses(bob, alice).empty());
    EXPECT_TRUE(visit.addresses(old, old).empty());
    EXPECT_TRUE(visit.addresses(server, server).empty());
}

TEST(Tls, who_may_show_a_certificate_resumes_nothing) {
    const TlsCertificate alice =
        *make_client_certificate("alice@example.test", today(), std::chrono::days(365));
    House house;
    house.server = *TlsServerContext::create(&house.certificates,
                                             {.service = "test", .client_ca_pem = alice.chain_pem});
    const TlsClientOptions options{.host = "mx.example.test", .resume_key = "here"};
    Meeting first(house, options);
    Meeting second(house, options);
    ASSERT_TRUE(second.client.result);
    EXPECT_FALSE(second.a->tls()->is_resumed());
}

TEST(Tls, the_cas_of_clients_must_be_certificates) {
    const TlsCertificates none;
    EXPECT_FALSE(TlsServerContext::create(&none, {.service = "test", .client_ca_pem = "nothing"}));
    EXPECT_FALSE(make_client_certificate("alice", today(), std::chrono::days(1)));
    EXPECT_FALSE(make_client_certificate("a@b,email:c@d", today(), std::chrono::days(1)));
}

}  // namespace
}  // namespace godwit::net
