// T119: what a web server may answer, and what not.
#include "net/dial/https_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "net/io/memory_network.h"
#include "net/resolver/scripted_resolver.h"
#include "net/tls/certificate_maker.h"

namespace godwit::net {
namespace {

struct World {
    TestLoop loop;
    MemoryNetwork network{&loop};
    ScriptedResolver dns;
    TlsCertificates certificates;
    std::unique_ptr<TlsServerContext> server;
    std::unique_ptr<TlsClientContext> trust;
    std::string folder;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Stream>> streams;
    std::string reply;
    std::string asked;

    World() {
        std::string name =
            (std::filesystem::temp_directory_path() / "godwit-https-XXXXXX").string();
        folder = mkdtemp(name.data());
        const DevCertificate files =
            *make_dev_certificate(folder, {"mta-sts.a.test"}, system_clock().wall());
        EXPECT_TRUE(certificates.replace({*read_tls_certificate(files.cert_file, files.key_file)}));
        server =
            *TlsServerContext::create(&certificates, {.service = "https", .alpn = {"http/1.1"}});
        trust = *TlsClientContext::create({.ca_file = files.ca_file});
        listener =
            *network.listen(*Endpoint::parse("11.22.33.44:443"), {.name = "web"},
                            [this](std::unique_ptr<Stream> stream) {
                                streams.push_back(std::move(stream));
                                spawn(loop.shard(), "web", serve(this, streams.back().get()));
                            });
        EXPECT_TRUE(
            dns.add_lines("mta-sts.a.test A 11.22.33.44\nother.test A 11.22.33.44\n"
                          "inside.test A 10.0.0.1\n"));
    }
    ~World() { std::filesystem::remove_all(folder); }

    static Task<void> serve(World* world, Stream* stream) {
        if (!co_await stream->start_tls_server(world->server.get())) {
            co_return;
        }
        std::string buffer(4096, '\0');
        while (!world->asked.ends_with("\r\n\r\n") && !world->asked.ends_with("{}")) {
            const Result<std::size_t> got = co_await stream->read_some(buffer);
            if (!got || *got == 0) {
                co_return;
            }
            world->asked.append(buffer, 0, *got);
        }
        if (co_await stream->write_all(world->reply)) {
            co_await stream->close();
        }
    }
    static Task<void> ask_into(World* world, HttpsRequest request,
                               std::optional<Result<HttpsResponse>>* out) {
        out->emplace(co_await ask_https(&world->network, &world->dns, world->trust.get(),
                                        std::move(request)));
    }
    Result<HttpsResponse> ask(std::string answer,
                              HttpsRequest request = {.host = "mta-sts.a.test", .path = "/x"}) {
        reply = std::move(answer);
        asked.clear();
        std::optional<Result<HttpsResponse>> out;
        const auto patience = request.patience;
        spawn(loop.shard(), "ask", ask_into(this, std::move(request), &out));
        loop.run_until_idle();
        if (!out) {
            loop.advance(patience + std::chrono::seconds(1));
        }
        EXPECT_TRUE(out.has_value());
        return *std::move(out);
    }
};

TEST(HttpsClient, an_answer_whatever_its_framing) {
    World world;
    const auto sized = world.ask(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 5\r\n\r\nhello");
    ASSERT_TRUE(sized) << sized.error().text;
    EXPECT_EQ(sized->status, 200U);
    EXPECT_EQ(sized->content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(sized->body, "hello");
    EXPECT_TRUE(world.asked.starts_with("GET /x HTTP/1.1\r\nHost: mta-sts.a.test\r\n"));
    const auto chunked = world.ask(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    ASSERT_TRUE(chunked) << chunked.error().text;
    EXPECT_EQ(chunked->body, "hello");
    const auto to_the_end = world.ask("HTTP/1.0 200 OK\r\n\r\nhello");
    ASSERT_TRUE(to_the_end) << to_the_end.error().text;
    EXPECT_EQ(to_the_end->body, "hello");
}

TEST(HttpsClient, urls) {
    const auto of = [](std::string_view text) { return parse_https_url(text); };
    EXPECT_EQ(*of("https://id.example.test"), (HttpsUrl{"id.example.test", 443, "/"}));
    EXPECT_EQ(*of("HTTPS://ID.example.test:8443/a/b?c=d"),
              (HttpsUrl{"id.example.test", 8443, "/a/b?c=d"}));
    EXPECT_EQ(*of("https://a?x"), (HttpsUrl{"a", 443, "/?x"}));
    for (const std::string_view bad :
         {"", "http://a/", "https://", "https:///x", "https://a:0/", "https://a:65536/",
          "https://a:/", "https://u:p@a/", "https://a/ b", "https://a/\r\nX: y", "https://a/#f",
          "https://a/\xC3\xA9", "https://[::1]/"}) {
        EXPECT_FALSE(of(bad)) << bad;
    }
    const std::string base = "https://a/";
    for (const std::size_t size : {2047U, 2048U, 2049U}) {
        EXPECT_EQ(of(base + std::string(size - base.size(), 'x')).has_value(), size <= 2048);
    }
}

TEST(HttpsClient, posts) {
    World world;
    const auto posted = world.ask("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
                                  {.host = "mta-sts.a.test",
                                   .path = "/report",
                                   .post_body = "{}",
                                   .content_type = "application/tlsrpt+json",
                                   .authorization = "Basic eDp5"});
    ASSERT_TRUE(posted) << posted.error().text;
    EXPECT_EQ(posted->status, 201U);
    EXPECT_TRUE(world.asked.starts_with("POST /report HTTP/1.1\r\n"));
    EXPECT_NE(world.asked.find("Content-Length: 2\r\n"), std::string::npos);
    EXPECT_NE(world.asked.find("\r\nAuthorization: Basic eDp5\r\n"), std::string::npos);
}

TEST(HttpsClient, T119_a_redirect_is_an_answer_and_not_followed) {
    World world;
    const auto moved = world.ask(
        "HTTP/1.1 302 Found\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->status, 302U);
    EXPECT_EQ(world.streams.size(), 1U);
}

TEST(HttpsClient, T119_body_and_header_are_bounded) {
    World world;
    for (const std::size_t size : {99U, 100U, 101U}) {
        const auto got = world.ask("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) +
                                       "\r\n\r\n" + std::string(size, 'x'),
                                   {.host = "mta-sts.a.test", .body_size_max = 100});
        EXPECT_EQ(got.has_value(), size <= 100) << size;
        // Without a length said before.
        const auto endless = world.ask("HTTP/1.0 200 OK\r\n\r\n" + std::string(size, 'x'),
                                       {.host = "mta-sts.a.test", .body_size_max = 100});
        EXPECT_EQ(endless.has_value(), size <= 100) << size;
    }
    const auto header =
        world.ask("HTTP/1.1 200 OK\r\nX: " + std::string(https_header_size_max, 'x') + "\r\n\r\n");
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, ErrorCode::LimitExceeded);
}

TEST(HttpsClient, T119_what_is_not_body_is_bounded) {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string end = "\r\nhello\r\n0\r\n\r\n";
    const std::size_t others = head.size() + 2 + end.size() - 5;
    for (const std::size_t size :
         {https_framing_size_max - 1, https_framing_size_max, https_framing_size_max + 1}) {
        const std::string extension(size - others, 'x');
        const auto got = parse_https_answer(head + "5;" + extension + end + "behind it", 10);
        EXPECT_EQ(got.has_value(), size <= https_framing_size_max) << size;
    }
    // Many small chunks, and a trailer without an end, as they come in.
    World world;
    std::string chunks;
    for (std::size_t i = 0; i < https_framing_size_max / 5 + 1; ++i) {
        chunks += "1\r\nx\r\n";
    }
    for (const std::string& tail : {chunks, "0\r\nX: " + std::string(1024 * 1024, 'x')}) {
        const auto got = world.ask(head + tail);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, ErrorCode::LimitExceeded) << got.error().text;
    }
}

TEST(HttpsClient, T119_the_certificate_must_be_the_hosts) {
    World world;
    const auto other = world.ask("HTTP/1.1 200 OK\r\n\r\n", {.host = "other.test"});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::Denied);
}

TEST(HttpsClient, T119_private_addresses_are_for_the_administrator_alone) {
    World world;
    const auto inside = world.ask("", {.host = "inside.test"});
    ASSERT_FALSE(inside);
    EXPECT_EQ(inside.error().code, ErrorCode::Denied);
    EXPECT_TRUE(world.ask("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                          {.host = "mta-sts.a.test", .at = *Endpoint::parse("11.22.33.44:443")}));
}

TEST(HttpsClient, what_is_no_http_or_ends_early_is_an_error) {
    World world;
    EXPECT_EQ(world.ask("220 mx ESMTP\r\n").error().code, ErrorCode::Invalid);
    EXPECT_FALSE(world.ask("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"));
    EXPECT_FALSE(world.ask(""));
    EXPECT_FALSE(parse_https_answer("", 10));
    EXPECT_FALSE(parse_https_answer("H", 10));
    EXPECT_FALSE(parse_https_answer("HTTP/1.1 200 OK\r\nContent-Len", 10));
    EXPECT_TRUE(parse_https_answer("HTTP/1.1 204 No Content\r\n\r\n", 10));
}

}  // namespace
}  // namespace godwit::net
