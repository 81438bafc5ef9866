// The answers of the small HTTP desk.
#include "serve/http/session.h"

#include <gtest/gtest.h>

namespace godwit::serve {
namespace {

std::string ask(std::string_view line) {
    return answer_http(std::string(line) + "\r\nHost: x\r\n\r\n", "mx.example.org", Health::Sound);
}

TEST(Http, health_says_ok) {
    const std::string answer = ask("GET /health HTTP/1.1");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\nok\n"));
}

TEST(Http, health_says_when_the_disk_has_failed) {
    const std::string answer =
        answer_http("GET /health HTTP/1.1\r\n\r\n", "mx.example.org", Health::Ending);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 "));
}

TEST(Http, head_has_no_body) {
    EXPECT_TRUE(ask("HEAD /health HTTP/1.1").ends_with("\r\n\r\n"));
}

TEST(Http, start_page_names_the_server) {
    EXPECT_NE(ask("GET / HTTP/1.1").find("mx.example.org"), std::string::npos);
}

TEST(Http, metrics_are_for_those_who_may_see_them) {
    const std::string head =
        "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n";
    const MetricsFacts facts;
    const std::string answer = answer_http(head, "x", Health::Sound, &facts);
    EXPECT_TRUE(
        answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text"));
    EXPECT_TRUE(answer.ends_with("# EOF\n"));
    EXPECT_TRUE(answer_http(head, "x", Health::Sound).starts_with("HTTP/1.1 403"));
    EXPECT_NE(answer_http("GET /metrics HTTP/1.0\r\n\r\n", "x", Health::Sound, &facts)
                  .find("Content-Type: text/plain; version=0.0.4"),
              std::string::npos);
}

TEST(Http, other_requests_are_refused) {
    EXPECT_TRUE(ask("GET /x HTTP/1.1").starts_with("HTTP/1.1 404"));
    EXPECT_TRUE(ask("POST / HTTP/1.1").starts_with("HTTP/1.1 405"));
    EXPECT_TRUE(ask("EHLO x").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(ask("").starts_with("HTTP/1.1 400"));
}

}  // namespace
}  // namespace godwit::serve
